//! [`Sources`]: the files of a crate, and which of them imports from which.
//!
//! `use` declarations and paths in code are resolved as the compiler resolves them: through modules,
//! through re-exports, and through the names that a file has imported. A re-export is no import of the
//! file that it stands in, so a `mod.rs` that only declares and re-exports its children imports nothing.
//! Calls of methods are not resolved: their syntax does not say which file defines them.

use std::collections::{BTreeMap, BTreeSet};

use syn::{
    Attribute, Expr, File, Ident, Item, ItemMod, ItemUse, Macro, Path, Token, UseTree, Visibility,
    punctuated::Punctuated,
    visit::{self, Visit},
};

/// From each file to those that define what it imports, with one of the paths, as it is written.
pub(crate) type Imports = BTreeMap<String, BTreeMap<String, String>>;

/// The modules of one crate.
pub(crate) struct Sources(BTreeMap<Segments, Module>);

type Segments = Vec<String>;

/// A file, or a module within one.
#[derive(Default)]
struct Module {
    file: String,
    /// What each name stands for that was imported or re-exported.
    names: BTreeMap<String, Segments>,
    /// The paths by which the code, or an import that is not passed on, names something.
    used: BTreeSet<Segments>,
}

enum Target<'a> {
    Module(&'a [String]),
    /// Something that this file defines.
    Item(&'a str),
}

/// More steps than any chain of re-exports has.
const MAX_STEPS: usize = 32;

impl Sources {
    /// Parses files, given by their paths below `src` and their texts.
    pub(crate) fn parse<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut modules = BTreeMap::new();
        for (name, text) in files {
            let file = syn::parse_file(text).unwrap_or_else(|error| panic!("{name}: {error}"));
            Reader::read(name, &file, &mut modules);
        }
        Self(modules)
    }

    /// Every import of one file from another.
    pub(crate) fn imports(&self) -> Imports {
        let mut imports = Imports::new();
        for (at, module) in &self.0 {
            let of_file = imports.entry(module.file.clone()).or_default();
            for path in &module.used {
                if let Some(Target::Item(file)) = self.resolve(at, path, MAX_STEPS)
                    && file != module.file
                {
                    let known = of_file.entry(file.to_owned()).or_default();
                    let path = path.join("::");
                    if tells(&path) > tells(known) {
                        *known = path;
                    }
                }
            }
        }
        imports
    }

    /// What a path names within the module `at`; nothing if that is not of this crate.
    fn resolve<'a>(
        &'a self,
        at: &'a [String],
        path: &'a [String],
        steps: usize,
    ) -> Option<Target<'a>> {
        let (first, mut rest) = path.split_first()?;
        let mut target = match first.as_str() {
            "crate" => Target::Module(&[]),
            "self" => Target::Module(at),
            "super" => Target::Module(at.split_last()?.1),
            name => self.named(at, name, rest.is_empty(), steps)?,
        };
        while let (Target::Module(at), Some((name, after))) = (&target, rest.split_first()) {
            target = match name.as_str() {
                "super" => Target::Module(at.split_last()?.1),
                name => match self.named(at, name, after.is_empty(), steps) {
                    Some(found) => found,
                    None => Target::Item(&self.0.get(*at)?.file),
                },
            };
            rest = after;
        }
        Some(target)
    }

    /// What a name stands for within a module: a child, or what was imported there under it.
    fn named<'a>(
        &'a self,
        at: &'a [String],
        name: &str,
        is_last: bool,
        steps: usize,
    ) -> Option<Target<'a>> {
        let child = || {
            let path: Segments = at.iter().cloned().chain([name.to_owned()]).collect();
            let (path, _) = self.0.get_key_value(&path)?;
            Some(Target::Module(path))
        };
        let imported = || {
            let path = self.0.get(at)?.names.get(name)?;
            self.resolve(at, path, steps.checked_sub(1)?)
        };
        // A module and a function may have one name; what ends a path is the function.
        if is_last {
            imported().or_else(child)
        } else {
            child().or_else(imported)
        }
    }
}

/// How well a path tells where it leads: one from a root tells more than another, and a long one more
/// than a short one.
fn tells(path: &str) -> (bool, usize) {
    let roots = ["crate::", "self::", "super::"];
    (
        roots.iter().any(|begin| path.starts_with(begin)),
        path.len(),
    )
}

/// Collects what one module names.
struct Reader<'m> {
    modules: &'m mut BTreeMap<Segments, Module>,
    at: Segments,
    module: Module,
}

impl<'m> Reader<'m> {
    fn read(name: &str, file: &File, modules: &'m mut BTreeMap<Segments, Module>) {
        let path = name.trim_end_matches(".rs");
        let at = path
            .split('/')
            .filter(|part| !["lib", "mod"].contains(part));
        let mut reader = Self {
            modules,
            at: at.map(str::to_owned).collect(),
            module: Module {
                file: name.to_owned(),
                ..Module::default()
            },
        };
        reader.visit_file(file);
        reader.modules.insert(reader.at, reader.module);
    }

    fn import(&mut self, tree: &UseTree, mut path: Segments, passes_on: bool) {
        let name = match tree {
            UseTree::Path(tree) => {
                path.push(tree.ident.to_string());
                return self.import(&tree.tree, path, passes_on);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, path.clone(), passes_on);
                }
                return;
            }
            UseTree::Name(name) if name.ident == "self" => path.last().cloned(),
            UseTree::Name(name) => {
                path.push(name.ident.to_string());
                path.last().cloned()
            }
            UseTree::Rename(name) => {
                path.push(name.ident.to_string());
                Some(name.rename.to_string())
            }
            // Of a module, the file that it is; of an enum, the file that defines it.
            UseTree::Glob(_) => {
                path.push("*".to_owned());
                None
            }
        };
        if let Some(name) = name {
            self.module.names.insert(name, path.clone());
        }
        if !passes_on {
            self.module.used.insert(path);
        }
    }

    /// The paths in a macro whose arguments are not expressions.
    fn scan(&mut self, tokens: &str) {
        let is_of_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
        let text = without_strings(tokens).replace(" :: ", "::");
        for word in text.split(|c| !is_of_path(c)) {
            let path: Segments = word.split("::").map(str::to_owned).collect();
            if path.len() > 1 && !path.iter().any(String::is_empty) {
                self.module.used.insert(path);
            }
        }
    }
}

/// Tokens without what stands in quotes, which may be the text of a comment.
fn without_strings(tokens: &str) -> String {
    let tokens = tokens.replace("\\\\", "").replace("\\\"", "");
    tokens.split('"').step_by(2).collect()
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        let Some((_, items)) = &item.content else {
            return;
        };
        self.at.push(item.ident.to_string());
        let inner = Module {
            file: self.module.file.clone(),
            ..Module::default()
        };
        let outer = std::mem::replace(&mut self.module, inner);
        for item in items {
            self.visit_item(item);
        }
        let inner = std::mem::replace(&mut self.module, outer);
        self.modules.insert(self.at.clone(), inner);
        self.at.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if item.leading_colon.is_none() {
            let passes_on = !matches!(item.vis, Visibility::Inherited);
            self.import(&item.tree, Segments::new(), passes_on);
        }
    }

    fn visit_path(&mut self, path: &'ast Path) {
        if path.leading_colon.is_none() {
            let segments = path.segments.iter().map(|part| part.ident.to_string());
            self.module.used.insert(segments.collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, of: &'ast Macro) {
        self.visit_path(&of.path);
        let arguments = of.parse_body_with(Punctuated::<Expr, Token![,]>::parse_terminated);
        match arguments {
            Ok(arguments) => arguments.iter().for_each(|one| self.visit_expr(one)),
            Err(_) => self.scan(&of.tokens.to_string()),
        }
    }

    // `pub(in crate::a)` and `#[doc(alias = …)]` import nothing.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_attribute(&mut self, _: &'ast Attribute) {}
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<Ident>()
                .is_ok_and(|only| only == "test")
    })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
