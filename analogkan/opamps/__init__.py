"""Op-amps of transistors: a netlist in, figures by ngspice and a preset for all else out."""
