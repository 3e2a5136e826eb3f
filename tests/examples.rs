//! Each method that handlers and start-up code call has an example.

use std::{collections::BTreeSet, fs, path::Path};

use syn::{Attribute, ImplItem, Item, Type, Visibility};

/// The types whose methods have one each.
const TYPES: [&str; 4] = [
    "AuthenticatedSession",
    "Session",
    "SessionPolicy",
    "Sessions",
];

/// The name of a type without its path and parameters.
fn name_of(of: &Type) -> Option<String> {
    let Type::Path(path) = of else {
        return None;
    };
    Some(path.path.segments.last()?.ident.to_string())
}

fn has_example(attributes: &[Attribute]) -> bool {
    let documented = attributes.iter().filter(|one| one.path().is_ident("doc"));
    let mut lines = documented.filter_map(|one| match &one.meta.require_name_value().ok()?.value {
        syn::Expr::Lit(line) => match &line.lit {
            syn::Lit::Str(line) => Some(line.value()),
            _ => None,
        },
        _ => None,
    });
    lines.any(|line| line.trim_start().starts_with("```"))
}

/// The public methods of these types in a folder, and whether each has an example.
fn methods_in(folder: &Path, found: &mut BTreeSet<(String, bool)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            methods_in(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let file = syn::parse_file(&fs::read_to_string(&path).unwrap()).unwrap();
            let blocks = file.items.iter().filter_map(|item| match item {
                Item::Impl(block) if block.trait_.is_none() => Some(block),
                _ => None,
            });
            for block in blocks {
                let Some(name) = name_of(&block.self_ty).filter(|name| TYPES.contains(&&**name))
                else {
                    continue;
                };
                found.extend(block.items.iter().filter_map(|item| match item {
                    ImplItem::Fn(method) if matches!(method.vis, Visibility::Public(_)) => {
                        let method_name = format!("{name}::{}", method.sig.ident);
                        Some((method_name, has_example(&method.attrs)))
                    }
                    _ => None,
                }));
            }
        }
    }
}

#[test]
fn every_method_of_the_main_types_has_an_example() {
    let mut found = BTreeSet::new();
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    methods_in(&src, &mut found);
    assert!(found.len() > 60, "{found:?}");
    let without: Vec<_> = found.iter().filter(|(_, has)| !has).collect();
    assert!(without.is_empty(), "{without:?}");
}
