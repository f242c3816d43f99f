# syntax=docker/dockerfile:1
# Two stages: a builder with Rust and a C compiler (for the TLS library and SQLite), and an image that holds the one binary.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /source
COPY . .
# The caches outlive a change of the source, so that only Evenkeel itself is built again.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --locked --profile dist --bin evenkeel \
    && cp target/dist/evenkeel /evenkeel

# glibc and CA certificates, no shell, user 65532.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /evenkeel /usr/local/bin/evenkeel
# Holds `desired-state/` (mount it read-only) and, with the embedded store, `.evenkeel/` (mount a volume, or the ledger
# goes with the container). On more than one machine the store is a DynamoDB table.
WORKDIR /home/nonroot
# Metrics and health of `evenkeel run`. It listens on loopback by default: in a container say `--listen 0.0.0.0:9464`.
EXPOSE 9464
ENTRYPOINT ["/usr/local/bin/evenkeel"]
CMD ["--help"]
