//! One walk over a parsed file: functions, paths, log messages and sleeps, each marked test or not.
//!
//! Macros are opaque to syn, so their tokens are read for paths and calls as well.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::{
    Attribute, Block, ExprCall, ImplItemFn, Item, ItemFn, ItemUse, Macro, Meta, Signature, TraitItemFn,
    UseTree,
    spanned::Spanned as _,
    visit::{self, Visit},
};

/// A function with a body.
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) lines: usize,
    pub(crate) test: bool,
}

/// Something at a line.
pub(crate) struct At<T> {
    pub(crate) what: T,
    pub(crate) line: usize,
    pub(crate) test: bool,
}

/// What one file holds.
#[derive(Default)]
pub(crate) struct Reading {
    pub(crate) functions: Vec<Function>,
    /// First segments of every path that has more than one, and of every `use`.
    pub(crate) roots: Vec<At<String>>,
    /// `async fn`, `async` blocks and `.await`.
    pub(crate) waits: Vec<At<()>>,
    /// Message literals of tracing macros.
    pub(crate) messages: Vec<At<String>>,
    pub(crate) sleeps: Vec<At<()>>,
    /// `#[allow]` and `#![allow]`.
    pub(crate) allowances: Vec<At<()>>,
    /// Lines of test modules within the file.
    pub(crate) test_lines: usize,
    test: bool,
}

/// Reads the file at `path`.
pub(crate) fn read(path: &str, text: &str) -> Reading {
    let file = syn::parse_file(text).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut reading = Reading { test: is_test(path), ..Reading::default() };
    reading.visit_file(&file);
    reading
}

/// Whether everything in the file is test code.
pub(crate) fn is_test(path: &str) -> bool {
    path.starts_with("integration/")
        || path.contains("/tests/")
        || path.contains("/benches/")
        || path.ends_with("/tests.rs")
}

const LOGS: &[&str] = &["trace", "debug", "info", "warn", "error", "event"];

fn is_test_only(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => {
            let condition = list.tokens.to_string();
            condition == "test" || condition.starts_with("all (test")
        }
        meta => meta.path().segments.last().is_some_and(|segment| segment.ident == "test"),
    })
}

impl Reading {
    fn at<T>(&self, what: T, span: proc_macro2::Span) -> At<T> {
        At { what, line: span.start().line, test: self.test }
    }

    fn function(&mut self, signature: &Signature, block: &Block, attributes: &[Attribute]) {
        let (first, last) = (signature.fn_token.span.start().line, block.brace_token.span.close().end().line);
        let test = self.test || is_test_only(attributes);
        self.functions.push(Function { name: signature.ident.to_string(), lines: last - first + 1, test });
        if let Some(token) = signature.asyncness {
            let found = self.at((), token.span);
            self.waits.push(found);
        }
    }

    /// Runs `inner` with everything below marked as test code where the attributes say so.
    fn within(&mut self, attributes: &[Attribute], inner: impl FnOnce(&mut Self)) {
        let before = self.test;
        self.test |= is_test_only(attributes);
        inner(self);
        self.test = before;
    }

    fn use_roots(&mut self, tree: &UseTree) {
        match tree {
            UseTree::Path(path) => self.root(&path.ident),
            UseTree::Name(name) => self.root(&name.ident),
            UseTree::Rename(rename) => self.root(&rename.ident),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.use_roots(tree)),
            UseTree::Glob(_) => {}
        }
    }

    fn root(&mut self, ident: &proc_macro2::Ident) {
        let found = self.at(ident.to_string(), ident.span());
        self.roots.push(found);
    }

    /// Paths, waits and sleeps inside a macro's tokens.
    fn tokens(&mut self, tokens: TokenStream) {
        let trees: Vec<TokenTree> = tokens.into_iter().collect();
        let colon =
            |place: usize| matches!(trees.get(place), Some(TokenTree::Punct(p)) if p.as_char() == ':');
        for (place, tree) in trees.iter().enumerate() {
            match tree {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(ident) => {
                    let follows = place >= 2 && colon(place - 1) && colon(place - 2);
                    if !follows && colon(place + 1) && colon(place + 2) {
                        self.root(ident);
                    }
                    let called = matches!(trees.get(place + 1), Some(TokenTree::Group(g)) if g.delimiter() == Delimiter::Parenthesis);
                    if called && ident == "sleep" {
                        let found = self.at((), ident.span());
                        self.sleeps.push(found);
                    }
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }

    /// The message of a log line: a string that stands alone between commas.
    fn message(&mut self, tokens: TokenStream) {
        let trees: Vec<TokenTree> = tokens.into_iter().collect();
        let comma = |tree: Option<&TokenTree>| match tree {
            None => true,
            Some(TokenTree::Punct(punct)) => punct.as_char() == ',',
            Some(_) => false,
        };
        for (place, tree) in trees.iter().enumerate() {
            let before = place.checked_sub(1).and_then(|place| trees.get(place));
            if let TokenTree::Literal(literal) = tree
                && comma(before)
                && comma(trees.get(place + 1))
                && let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string())
            {
                let found = self.at(text.value(), literal.span());
                self.messages.push(found);
            }
        }
    }
}

impl<'ast> Visit<'ast> for Reading {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Mod(item) => &item.attrs,
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            Item::Struct(item) => &item.attrs,
            Item::Const(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !self.test && is_test_only(attributes) {
            self.test_lines += item.span().end().line - item.span().start().line + 1;
        }
        self.within(attributes, |reading| visit::visit_item(reading, item));
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.function(&item.sig, &item.block, &item.attrs);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.function(&item.sig, &item.block, &item.attrs);
        self.within(&item.attrs, |reading| visit::visit_impl_item_fn(reading, item));
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        if let Some(block) = &item.default {
            self.function(&item.sig, block, &item.attrs);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.use_roots(&item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1
            && let Some(first) = path.segments.first()
        {
            self.root(&first.ident);
        }
        visit::visit_path(self, path);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if attribute.path().is_ident("allow") {
            let found = self.at((), attribute.pound_token.span);
            self.allowances.push(found);
        }
        visit::visit_attribute(self, attribute);
    }

    fn visit_expr_await(&mut self, wait: &'ast syn::ExprAwait) {
        let found = self.at((), wait.await_token.span);
        self.waits.push(found);
        visit::visit_expr_await(self, wait);
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        if let syn::Expr::Path(function) = &*call.func
            && function.path.segments.last().is_some_and(|segment| segment.ident == "sleep")
        {
            let found = self.at((), call.span());
            self.sleeps.push(found);
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        if call.path.segments.last().is_some_and(|segment| LOGS.contains(&segment.ident.to_string().as_str()))
        {
            self.message(call.tokens.clone());
        }
        self.tokens(call.tokens.clone());
        visit::visit_macro(self, call);
    }
}

#[test]
fn a_planted_file_is_read_right() {
    let text = r#"
        use tonic::{Status, Code};
        #[tonic::async_trait]
        impl A { async fn a(&self) { warn!(error = "x", id = %id, "Went wrong."); foo!(sea_orm::X, sleep(1)); } }
        #[cfg(test)]
        mod tests { use gix::x; #[allow(dead_code)] fn long() { tokio::time::sleep(1); } }
    "#;
    let reading = read("services/x/src/model.rs", text);
    let roots = |test| -> Vec<&str> {
        reading.roots.iter().filter(|root| root.test == test).map(|root| root.what.as_str()).collect()
    };
    assert_eq!(roots(false), ["tonic", "tonic", "sea_orm"]);
    assert_eq!(roots(true), ["gix", "tokio"]);
    assert_eq!(reading.messages.iter().map(|m| m.what.as_str()).collect::<Vec<_>>(), ["Went wrong."]);
    assert_eq!(reading.sleeps.iter().map(|sleep| sleep.test).collect::<Vec<_>>(), [false, true]);
    assert_eq!((reading.waits.len(), reading.allowances.len(), reading.test_lines), (1, 1, 2));
    assert_eq!(reading.functions.iter().map(|f| f.test).collect::<Vec<_>>(), [false, true]);
}
