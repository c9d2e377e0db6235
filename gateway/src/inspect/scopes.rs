//! The rules that apply, by topic: computed once per connection, topic and policy generation.

use std::collections::HashMap;
use std::sync::Arc;

use super::Sender;
use crate::policy::{Policy, RuleSet, Scope};

/// Topics remembered per connection. A producer of more starts anew now and then.
const TOPICS_MAX: usize = 256;

/// One topic as policy and audit know it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) topic: Arc<str>,
    pub(super) rules: RuleSet,
}

/// The rules that apply to one sender, by topic.
#[derive(Debug, Default)]
pub struct Scopes {
    generation: u64,
    topics: HashMap<Arc<str>, Entry>,
}

impl Scopes {
    /// The rules for `topic`.
    pub(super) fn entry(&mut self, policy: &Policy, sender: &Sender<'_>, topic: &str) -> &Entry {
        let forget = self.generation != policy.generation()
            || (self.topics.len() >= TOPICS_MAX && !self.topics.contains_key(topic));
        if forget {
            self.topics.clear();
            self.generation = policy.generation();
        }
        if !self.topics.contains_key(topic) {
            let scope = Scope { listener: sender.listener_name, topic, principal: sender.principal };
            let name: Arc<str> = topic.into();
            let rules = policy.rules_for(&scope);
            self.topics.insert(name.clone(), Entry { topic: name, rules });
        }
        &self.topics[topic]
    }
}
