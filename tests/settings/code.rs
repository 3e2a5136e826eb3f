//! [`settings_of`]: which settings the sources have.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use syn::{
    Attribute, FnArg, ImplItem, ItemImpl, ItemMod, PathSegment, ReturnType, Signature, Type,
    Visibility,
    visit::{self, Visit},
};

/// The settings of each of these types, in the sources below these folders.
pub(crate) fn settings_of(
    folders: impl Iterator<Item = PathBuf>,
    types: &BTreeSet<String>,
) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<_, BTreeSet<_>> = types
        .iter()
        .map(|name| (name.clone(), BTreeSet::new()))
        .collect();
    for folder in folders {
        in_folder(&folder, &mut |text| {
            for (of, setting) in in_text(text, types) {
                found.entry(of).or_default().insert(setting);
            }
        });
    }
    found
}

fn in_folder(folder: &Path, each: &mut dyn FnMut(&str)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            in_folder(&path, each);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            each(&fs::read_to_string(&path).unwrap());
        }
    }
}

/// The settings in one source: public functions that make such a type, or make another one of it. What takes nothing but
/// what it cannot do without is no setting: `new`. Neither is what makes another type of it.
pub(crate) fn in_text(text: &str, types: &BTreeSet<String>) -> Vec<(String, String)> {
    let mut finder = Finder {
        types,
        found: Vec::new(),
    };
    finder.visit_file(&syn::parse_file(text).unwrap());
    finder.found
}

struct Finder<'a> {
    types: &'a BTreeSet<String>,
    found: Vec<(String, String)>,
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !item.attrs.iter().any(is_for_tests) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        let Type::Path(of) = &*item.self_ty else {
            return;
        };
        let Some(of) = of
            .path
            .segments
            .last()
            .map(|segment| segment.ident.to_string())
        else {
            return;
        };
        if item.trait_.is_some() || !self.types.contains(&of) {
            return;
        }
        for item in &item.items {
            let ImplItem::Fn(method) = item else {
                continue;
            };
            let is_public = matches!(method.vis, Visibility::Public(_));
            let name = method.sig.ident.to_string();
            // The one constructor of `SessionLayer` is a choice.
            let is_plain = name == "new" && of != "SessionLayer";
            if is_public
                && !is_plain
                && !method.attrs.iter().any(is_for_tests)
                && makes(&method.sig, &of)
            {
                self.found.push((of.clone(), name));
            }
        }
    }
}

fn is_for_tests(attribute: &Attribute) -> bool {
    let list = attribute.meta.require_list();
    attribute.path().is_ident("cfg") && list.is_ok_and(|list| list.tokens.to_string() == "test")
}

/// Whether it is called without a borrowed receiver and returns the type, or a result of it.
fn makes(signature: &Signature, of: &str) -> bool {
    let borrows = matches!(signature.inputs.first(), Some(FnArg::Receiver(receiver)) if receiver.reference.is_some());
    let ReturnType::Type(_, returned) = &signature.output else {
        return false;
    };
    let mut names = Names {
        of,
        is_there: false,
    };
    names.visit_type(returned);
    !borrows && names.is_there
}

struct Names<'a> {
    of: &'a str,
    is_there: bool,
}

impl<'ast> Visit<'ast> for Names<'_> {
    fn visit_path_segment(&mut self, segment: &'ast PathSegment) {
        self.is_there |= segment.ident == "Self" || segment.ident == self.of;
        visit::visit_path_segment(self, segment);
    }
}
