# The HTTP service: docs/deployment.md says how to run it.
#
#     docker build --tag faceauth .

FROM python:3.12-slim-bookworm AS build
WORKDIR /source
COPY . .
# Building downloads the detector, the embedder and the mesh once, and checks their digests.
RUN python -m venv /opt/faceauth && /opt/faceauth/bin/pip install --no-cache-dir ".[server]"

FROM python:3.12-slim-bookworm
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin faceauth \
    && install --directory --mode 700 --owner faceauth --group faceauth /data /keys
COPY --from=build /opt/faceauth /opt/faceauth

# Everything that is written lies in /data; the master key lies apart, so that no backup holds both.
ENV PATH=/opt/faceauth/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    FACEAUTH_DISABLE_PLUGIN_AUTOLOAD=1 \
    FACEAUTH_GALLERY=/data/gallery.sqlite \
    FACEAUTH_AUDIT_LOG=/data/audit.jsonl \
    FACEAUTH_API_KEYS=/data/api_keys.json \
    FACEAUTH_MASTER_KEY_FILE=/keys/master.key
VOLUME ["/data", "/keys"]
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=8)"]
ENTRYPOINT ["faceauth"]
CMD ["serve", "--host", "0.0.0.0"]
