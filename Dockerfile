# The server in a container, as docs/operations.md describes it:
#   docker build -t verbatim . && docker run --stop-timeout 90 -p 8080:8080 -v verbatim:/var/lib/verbatim verbatim
# The image has the demo model; another is mounted, and named with -m.
FROM debian:12-slim AS build
WORKDIR /src
COPY scripts/deps scripts/deps
RUN scripts/deps build && apt-get install -q -y --no-install-recommends dpkg-dev file
COPY . .
RUN cmake -G Ninja -B build -S . -DCMAKE_BUILD_TYPE=Release -DVB_TESTS=OFF -DCMAKE_INSTALL_PREFIX=/usr \
    && ninja -C build \
    && cd build && cpack -G DEB && mv verbatim_*.deb /verbatim.deb

FROM debian:12-slim
COPY --from=build /verbatim.deb /tmp/verbatim.deb
RUN apt-get update -q && apt-get install -q -y --no-install-recommends /tmp/verbatim.deb \
    && rm -rf /tmp/verbatim.deb /var/lib/apt/lists/* \
    && install -d -m 0700 -o 10001 -g 10001 /var/lib/verbatim
COPY packaging/healthcheck /usr/lib/verbatim/healthcheck
ENV VERBATIM_ADDRESS=0.0.0.0 \
    VERBATIM_PORT=8080 \
    VERBATIM_DATA_DIR=/var/lib/verbatim \
    XDG_CACHE_HOME=/var/lib/verbatim/.cache \
    VERBATIM_MODEL=/usr/share/verbatim/models/verbatim-demo-q8_0.gguf
USER 10001:10001
WORKDIR /var/lib/verbatim
VOLUME /var/lib/verbatim
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=120s CMD ["/usr/lib/verbatim/healthcheck"]
ENTRYPOINT ["/usr/bin/verbatim", "serve"]
