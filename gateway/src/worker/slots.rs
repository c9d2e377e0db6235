//! A table whose keys are never mistaken for one another: a key is a slot and the generation of its tenant.

use std::marker::PhantomData;

/// Key of a value in [`Slots`]: a slot index and the generation of the value in it.
///
/// A key outlives its value without harm: the slot's generation moves on and the key finds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    index: u32,
    generation: u32,
}

impl Key {
    /// The key with this slot and generation; only the low 24 bits of the generation count.
    pub fn new(index: u32, generation: u32) -> Self {
        Self { index, generation: generation & GENERATION_MASK }
    }

    /// Slot, dense from 0: for tables that run beside a [`Slots`].
    pub fn index(self) -> usize {
        self.index as usize
    }

    /// How often the slot had been emptied before this value came, modulo 2^24.
    pub fn generation(self) -> u32 {
        self.generation
    }
}

/// A typed [`Key`]: `SocketId`, `TaskId`, `ListenerId`.
pub trait SlotId: Copy {
    /// The id that stands for `key`.
    fn from_key(key: Key) -> Self;
    /// The key that the id stands for.
    fn key(self) -> Key;
}

/// Declares a newtype of [`Key`] that is a [`SlotId`].
macro_rules! slot_id {
    ($(#[$doc:meta])* $vis:vis $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        $vis struct $name($crate::worker::slots::Key);

        impl $crate::worker::slots::SlotId for $name {
            fn from_key(key: $crate::worker::slots::Key) -> Self {
                Self(key)
            }

            fn key(self) -> $crate::worker::slots::Key {
                self.0
            }
        }
    };
}
pub(crate) use slot_id;

/// A slab with generations: insertion and removal in constant time, slots reused last in, first out.
#[derive(Debug)]
pub struct Slots<I, T> {
    slots: Vec<Slot<T>>,
    vacant: Vec<u32>,
    id: PhantomData<fn() -> I>,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

impl<I, T> Default for Slots<I, T> {
    fn default() -> Self {
        Self { slots: Vec::new(), vacant: Vec::new(), id: PhantomData }
    }
}

impl<I: SlotId, T> Slots<I, T> {
    /// Stores `value` and returns its id.
    pub fn insert(&mut self, value: T) -> I {
        let index = self.vacant.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, value: None });
            u32::try_from(self.slots.len() - 1).expect("fewer sockets and tasks than 2^32")
        });
        let slot = &mut self.slots[index as usize];
        slot.value = Some(value);
        I::from_key(Key::new(index, slot.generation))
    }

    /// The value of `id`, unless it has gone.
    pub fn get(&self, id: I) -> Option<&T> {
        let slot = self.slots.get(id.key().index())?;
        if slot.generation == id.key().generation() { slot.value.as_ref() } else { None }
    }

    /// The value of `id`, unless it has gone.
    pub fn get_mut(&mut self, id: I) -> Option<&mut T> {
        let slot = self.slots.get_mut(id.key().index())?;
        if slot.generation == id.key().generation() { slot.value.as_mut() } else { None }
    }

    /// Takes the value of `id` out, unless it has gone.
    pub fn remove(&mut self, id: I) -> Option<T> {
        let slot = self.slots.get_mut(id.key().index())?;
        if slot.generation != id.key().generation() {
            return None;
        }
        let value = slot.value.take()?;
        slot.generation = slot.generation.wrapping_add(1) & GENERATION_MASK;
        self.vacant.push(id.key().index);
        Some(value)
    }

    /// Ids and values in slot order.
    pub fn iter(&self) -> impl Iterator<Item = (I, &T)> {
        self.slots.iter().enumerate().filter_map(|(index, slot)| {
            let key = Key { index: index as u32, generation: slot.generation };
            Some((I::from_key(key), slot.value.as_ref()?))
        })
    }

    /// Ids and values in slot order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (I, &mut T)> {
        self.slots.iter_mut().enumerate().filter_map(|(index, slot)| {
            let key = Key { index: index as u32, generation: slot.generation };
            Some((I::from_key(key), slot.value.as_mut()?))
        })
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.slots.len() - self.vacant.len()
    }

    /// True when there is no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Generations fit beside the slot and the operation tag in the 64 bits of `user_data`.
const GENERATION_MASK: u32 = 0x00ff_ffff;

#[cfg(test)]
mod tests {
    use super::*;

    slot_id!(
        /// An id.
        Id
    );

    #[test]
    fn a_key_does_not_find_the_next_tenant_of_its_slot() {
        let mut slots = Slots::<Id, &str>::default();
        let first = slots.insert("first");
        assert_eq!(slots.remove(first), Some("first"));
        let second = slots.insert("second");

        assert_eq!(second.key().index(), first.key().index());
        assert_eq!(slots.get(first), None);
        assert_eq!(slots.remove(first), None);
        assert_eq!(slots.get(second), Some(&"second"));
        assert_eq!(slots.len(), 1);
    }
}
