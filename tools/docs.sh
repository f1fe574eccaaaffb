#!/bin/sh
# Regenerate the reference pages that come from the code.
set -eu
cd "$(dirname "$0")/.."
cargo run --locked --quiet -p topic-map --example reference > docs/reference/topics.md
cargo run --locked --quiet -p topic-map --example acl > config/mosquitto.acl
cargo run --locked --quiet -p customer-config --example reference > docs/reference/customer-json.md
cargo run --locked --quiet -p customer-config --example schema > docs/reference/customer.schema.json
cargo run --locked --quiet -p ocpp16 --example reference > docs/reference/ocpp-support.md
cargo run --locked --quiet -p meteringd --example reference > docs/reference/meters.md
