# One image for every process: `adapter web` as it stands, `adapter worker`, or `adapter up` with a
# volume at /data. The version of Python is that of .python-version, which the tests run on.

FROM python:3.11-slim AS build
RUN python -m venv /opt/adapter
ENV PATH=/opt/adapter/bin:$PATH
WORKDIR /src
# The pins first and alone: this layer is built again only when they change. Wheels only, as there
# is no compiler here. The pins' last line is the adapter itself, which follows below.
COPY requirements.txt ./
RUN grep -vx '\.' requirements.txt > /tmp/pins.txt \
 && pip install --no-cache-dir --only-binary :all: -r /tmp/pins.txt
# What there is to copy is said by .dockerignore.
COPY . .
RUN pip install --no-cache-dir --no-deps . && mkdir -p custom

FROM python:3.11-slim
# A number, because Kubernetes (runAsNonRoot) does not look names up. No home, no shell, and nothing
# of its own that it may write to but /data, where `adapter up` keeps its embedded Valkey.
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin adapter \
 && install -d -o adapter -g adapter -m 0700 /data
COPY --from=build /opt/adapter /opt/adapter
ENV PATH=/opt/adapter/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ADAPTER_DATA_DIR=/data
# Your own mappings, if there are any where the image is built; or mount them here.
COPY --from=build /src/custom /app/custom
WORKDIR /app
USER 10001
EXPOSE 8000
# The image has no curl. A worker listens nowhere: where it runs, replace or disable this check, as
# compose.yaml does. /healthz and not /readyz, since no restart of ours mends a Redis that is down.
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:%s/healthz' % (os.environ.get('PORT') or 8000), timeout=4)"]
# No entrypoint: every platform then names the whole command, and all of them the same one.
CMD ["adapter", "web"]
