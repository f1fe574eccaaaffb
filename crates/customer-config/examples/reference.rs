//! Writes `docs/reference/customer-json.md` and `customer.schema.json`; part of `just docs`.

fn main() -> std::io::Result<()> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference");
    std::fs::write(
        format!("{directory}/customer-json.md"),
        customer_config::reference_page(),
    )?;
    std::fs::write(
        format!("{directory}/customer.schema.json"),
        customer_config::json_schema(),
    )
}
