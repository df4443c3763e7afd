# One image for everything that is ours: commands, workers, Prefect's servers and services. The practice servers
# need packages of their own, which only an image built with EXTRAS="--extra practice" has.
# It runs as nobody in particular, writes to /tmp and /state alone, and holds no configuration and no secret.

ARG PYTHON_IMAGE=python:3.12-slim-trixie

FROM ${PYTHON_IMAGE} AS build
ENV UV_PROJECT_ENVIRONMENT=/opt/kogge UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1
RUN --mount=type=bind,source=deploy/image/uv.txt,target=/tmp/uv.txt \
  pip install --no-cache-dir --root-user-action=ignore --require-hashes -r /tmp/uv.txt
# For `strip` alone; without it the image is 27 MB larger, and works.
RUN { apt-get -qq update && apt-get -qq install -y --no-install-recommends binutils >/dev/null; } \
  || echo "binutils cannot be had: debug symbols stay"
WORKDIR /source
ARG EXTRAS=""
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN uv sync --frozen --no-dev --group stack ${EXTRAS} --no-install-project
COPY kogge kogge
COPY flows flows
COPY reports reports
COPY evidence evidence
COPY engine engine
COPY connectors connectors
COPY mappings mappings
COPY ledger ledger
COPY model model
COPY practice practice
COPY deploy/image deploy/image
RUN uv sync --frozen --no-dev --group stack ${EXTRAS} --no-editable
RUN deploy/image/slim /opt/kogge
RUN /opt/kogge/bin/python -B deploy/image/bill_of_materials.py /opt/kogge/share --no-dev --group stack ${EXTRAS}

FROM ${PYTHON_IMAGE}
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp kogge \
  && mkdir /kogge /state \
  && chown kogge:kogge /state
COPY --from=build /opt/kogge /opt/kogge
# For Kubernetes; docker-compose.yml mounts the first two.
COPY deploy/with-secrets deploy/check-services deploy/await-schema /opt/kogge/bin/
ENV PATH=/opt/kogge/bin:$PATH HOME=/tmp LOGNAME=kogge PREFECT_HOME=/tmp/prefect DO_NOT_TRACK=1 \
  PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# By number: a cluster asks whether it is root before it knows any name.
USER 10001:10001
WORKDIR /kogge
HEALTHCHECK --interval=60s --timeout=20s CMD ["kogge", "--version"]
CMD ["kogge", "--help"]
