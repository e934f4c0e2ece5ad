"""The paper's experiments, run anew: a TOML file a table or figure, one runner."""
