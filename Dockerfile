# A small image: Debian's Python and ngspice (with KLU), torch for the CPU, analogkan from this folder.
#   docker build -t analogkan .
#   docker run --rm --user "$(id -u)" -v "$PWD":/work analogkan         the demo, into ./demo.run
#   docker run --rm --user "$(id -u)" -v "$PWD":/work analogkan --help  any other command
FROM debian:13-slim

RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      ca-certificates libngspice0 ngspice python3 python3-venv \
 && rm -rf /var/lib/apt/lists/*

# The packages of this index have no CUDA libraries, which are ten times as large as the rest.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN python3 -m venv /opt/analogkan \
 && /opt/analogkan/bin/pip install --no-cache-dir --index-url "$TORCH_INDEX" torch torchvision

COPY . /src
RUN /opt/analogkan/bin/pip install --no-cache-dir '/src[fast]' \
 && useradd --create-home analogkan \
 && mkdir /work && chown analogkan /work

ENV PATH=/opt/analogkan/bin:$PATH MPLCONFIGDIR=/tmp/matplotlib
USER analogkan
WORKDIR /work
ENTRYPOINT ["analogkan"]
CMD ["demo"]
