//! Builds the crate anew when the page was: embedded files are found when the crate is compiled.

fn main() {
    println!("cargo::rerun-if-changed=../../ui/dist");
}
