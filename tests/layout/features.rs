//! [`switches`]: where a feature does more than to add an item.

use syn::{
    Attribute, ImplItem, Item, Macro,
    visit::{self, Visit},
};

/// What a file says of a feature other than that an item is there with it: an item that is there only
/// without it, or a statement, a field or a value that depends on it.
pub(crate) fn switches(text: &str) -> Vec<String> {
    let file = syn::parse_file(text).unwrap();
    let mut found = Switches::default();
    found.visit_file(&file);
    found.0
}

#[derive(Default)]
struct Switches(Vec<String>);

impl Switches {
    /// A feature may add this item or method, and may not take it away.
    fn may_add(&mut self, attributes: &[Attribute]) {
        for tokens in attributes.iter().filter_map(named_feature) {
            if tokens.contains("not") {
                self.0.push(tokens);
            }
        }
    }
}

impl<'ast> Visit<'ast> for Switches {
    fn visit_item(&mut self, item: &'ast Item) {
        let mut item = item.clone();
        self.may_add(&take_attributes(&mut item));
        visit::visit_item(self, &item);
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        if let ImplItem::Fn(method) = item {
            let mut method = method.clone();
            self.may_add(&std::mem::take(&mut method.attrs));
            visit::visit_impl_item_fn(self, &method);
        } else {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        self.0.extend(named_feature(attribute));
    }

    fn visit_macro(&mut self, of: &'ast Macro) {
        let tokens = of.tokens.to_string();
        if of.path.is_ident("cfg") && tokens.contains("feature") {
            self.0.push(tokens);
        }
    }
}

/// The condition of a `cfg` or `cfg_attr` that names a feature of the crate; `feature(…)` is one of the compiler's.
fn named_feature(attribute: &Attribute) -> Option<String> {
    if !attribute.path().is_ident("cfg") && !attribute.path().is_ident("cfg_attr") {
        return None;
    }
    let tokens = attribute.meta.require_list().ok()?.tokens.to_string();
    tokens.contains("feature =").then_some(tokens)
}

fn take_attributes(item: &mut Item) -> Vec<Attribute> {
    let attributes = match item {
        Item::Const(item) => &mut item.attrs,
        Item::Enum(item) => &mut item.attrs,
        Item::Fn(item) => &mut item.attrs,
        Item::Impl(item) => &mut item.attrs,
        Item::Macro(item) => &mut item.attrs,
        Item::Mod(item) => &mut item.attrs,
        Item::Static(item) => &mut item.attrs,
        Item::Struct(item) => &mut item.attrs,
        Item::Trait(item) => &mut item.attrs,
        Item::Type(item) => &mut item.attrs,
        Item::Use(item) => &mut item.attrs,
        // The attributes of any other item may not name a feature.
        _ => return Vec::new(),
    };
    std::mem::take(attributes)
}
