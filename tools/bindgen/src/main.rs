//! Makes bindings for a WebAssembly module: `bindgen <module.wasm> <folder>`; the same with names that make
//! sense of a stack: `bindgen --names <module.wasm> <folder>`; or says how large a file is once a server has
//! compressed it: `bindgen --gzip <file>`.

use std::{fs, io::Write};

use anyhow::{Context, Result, bail};
use flate2::{Compression, write::GzEncoder};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match &args[..] {
        [flag, file] if flag == "--gzip" => {
            let bytes = fs::read(file).with_context(|| format!("{file} cannot be read"))?;
            let mut compressed = GzEncoder::new(Vec::new(), Compression::best());
            compressed.write_all(&bytes)?;
            println!("{}", compressed.finish()?.len());
            Ok(())
        }
        [flag, module, folder] if flag == "--names" => generate(module, folder, true),
        [module, folder] => generate(module, folder, false),
        _ => bail!("give a module and a folder, or `--gzip` and a file"),
    }
}

fn generate(module: &str, folder: &str, with_names: bool) -> Result<()> {
    Bindgen::new()
        .input_path(module)
        .web(true)?
        .omit_default_module_path(false)
        .remove_name_section(!with_names)
        .remove_producers_section(true)
        .out_name("skapi_rtc")
        .generate(folder)
}
