//! Writes `docs/reference/meters.md`; part of `just docs`.

fn main() -> std::io::Result<()> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/reference/meters.md"
    );
    std::fs::write(path, meteringd::reference_page())
}
