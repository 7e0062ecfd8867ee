//! Lists in pages: `limit` things from where `cursor` points, and `next`, the cursor of what follows.
//!
//! A cursor names the last thing that was given, not how many were: what is made or goes meanwhile moves nothing, and
//! nothing that stays is left out or given twice. It is opaque: what it holds may change. A page may hold fewer
//! things than asked for, or none, and still have a `next`, where a filter leaves out much.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::Problem;

/// Things of a page where the request does not say, and at most.
const USUAL: u64 = 100;
const MOST: u64 = 1_000;
/// Rows that one request looks through for things that its filter lets pass.
const MOST_LOOKED_AT: usize = 10_000;

/// What is asked for of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    list: &'static str,
    pub(super) limit: usize,
    /// The key of the last thing before the page.
    pub(super) after: Option<String>,
}

impl Page {
    /// Of the parameters of a query.
    pub(super) fn of(list: &'static str, limit: Option<u64>, cursor: Option<&str>) -> Result<Self, Problem> {
        let limit = limit.unwrap_or(USUAL);
        if !(1..=MOST).contains(&limit) {
            return Err(Problem::wrong_parameter("limit", &format!("it is a number from 1 to {MOST}")));
        }
        let after = cursor.map(|cursor| {
            read(list, cursor).ok_or_else(|| {
                Problem::wrong_parameter(
                    "cursor",
                    "it is none of this list: take `next` of the page before as it is",
                )
            })
        });
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(Self { list, limit, after: after.transpose()? })
    }

    /// The cursor behind the thing with this key.
    pub(super) fn behind(&self, key: &str) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}\n{key}", self.list))
    }

    /// The page out of all things, which are in the order of their keys, or with `newest_first` in the opposite one.
    pub(super) fn cut<T>(
        &self,
        things: impl IntoIterator<Item = T>,
        newest_first: bool,
        key: impl Fn(&T) -> String,
    ) -> (Vec<T>, Option<String>) {
        let follows = |thing: &T| match &self.after {
            None => true,
            Some(after) if newest_first => key(thing) < *after,
            Some(after) => key(thing) > *after,
        };
        let mut page: Vec<T> =
            things.into_iter().filter(follows).take(self.limit.saturating_add(1)).collect();
        let more = page.len() > self.limit;
        page.truncate(self.limit);
        let next = page.last().filter(|_| more).map(|last| self.behind(&key(last)));
        (page, next)
    }

    /// The page out of rows that are read in the order of their keys, of which `keep` leaves some out.
    pub(super) async fn fill<R, T, E, F>(
        &self,
        read: impl Fn(Option<String>, u64) -> F,
        key: impl Fn(&R) -> String,
        mut keep: impl FnMut(R) -> Option<T>,
    ) -> Result<(Vec<T>, Option<String>), E>
    where
        F: Future<Output = Result<Vec<R>, E>>,
    {
        let (mut kept, mut after, mut looked_at) = (Vec::new(), self.after.clone(), 0_usize);
        let batch = self.limit.saturating_add(1);
        loop {
            let rows = read(after.clone(), batch as u64).await?;
            let last = rows.len() < batch;
            looked_at = looked_at.saturating_add(rows.len());
            for row in rows {
                if kept.len() == self.limit {
                    return Ok((kept, after.map(|key| self.behind(&key))));
                }
                after = Some(key(&row));
                kept.extend(keep(row));
            }
            if last {
                return Ok((kept, None));
            }
            if looked_at >= MOST_LOOKED_AT {
                return Ok((kept, after.map(|key| self.behind(&key))));
            }
        }
    }

    /// The answer.
    pub(super) fn answer<T: serde::Serialize>(&self, things: &[T], next: Option<String>) -> Value {
        json!({ self.list: things, "next": next })
    }
}

fn read(list: &str, cursor: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (of, key) = text.split_once('\n')?;
    (of == list && !key.contains(char::is_control)).then(|| key.to_owned())
}

/// A number as a key that sorts as the number does.
pub(super) fn number(number: i64) -> String {
    format!("{:020}", i128::from(number) - i128::from(i64::MIN))
}

/// The number of a key.
pub(super) fn of_number(key: &str) -> Option<i64> {
    i64::try_from(key.parse::<i128>().ok()? + i128::from(i64::MIN)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(limit: u64, mut things: Vec<u32>, between: impl Fn(&mut Vec<u32>)) -> Vec<u32> {
        let mut seen = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let page = Page::of("things", Some(limit), cursor.as_deref()).unwrap();
            let (found, next) = page.cut(things.clone(), false, |thing| number(i64::from(*thing)));
            assert!(found.len() <= usize::try_from(limit).unwrap());
            seen.extend(found);
            cursor = next;
            if cursor.is_none() {
                return seen;
            }
            between(&mut things);
        }
    }

    #[test]
    fn nothing_that_stays_is_left_out_or_given_twice() {
        let all: Vec<u32> = (100..200).collect();
        for limit in [1, 3, 7, 50, 99, 100, 101, 1_000] {
            assert_eq!(walk(limit, all.clone(), |_| ()), all, "{limit}");
            // Others come in front and at the end, and some of those that were there go.
            let seen = walk(limit, all.clone(), |things| {
                things.insert(0, things.first().unwrap() - 1);
                things.push(things.last().unwrap() + 1);
                things.retain(|thing| thing % 10 != 3);
                if things.last().unwrap() > &400 {
                    things.retain(|thing| *thing < 300);
                }
            });
            for stays in all.iter().filter(|thing| *thing % 10 != 3) {
                assert_eq!(seen.iter().filter(|thing| *thing == stays).count(), 1, "{limit}: {stays}");
            }
        }
    }

    #[test]
    fn newest_first_goes_down() {
        let page = Page::of("things", Some(2), None).unwrap();
        let (found, next) = page.cut([9, 7, 5, 3], true, |thing: &i64| number(*thing));
        assert_eq!(found, [9, 7]);
        let page = Page::of("things", Some(2), next.as_deref()).unwrap();
        assert_eq!(page.cut([11, 9, 7, 5, 3], true, |thing: &i64| number(*thing)), (vec![5, 3], None));
    }

    #[test]
    fn what_is_no_cursor_of_the_list_is_refused() {
        let fine = Page::of("things", None, None).unwrap().behind("a");
        assert_eq!(Page::of("things", None, Some(&fine)).unwrap().after.as_deref(), Some("a"));
        let other = Page::of("others", None, None).unwrap().behind("a");
        for wrong in ["", "a", "....", &other, &fine[1..], &format!("{fine}=")] {
            let told = Page::of("things", None, Some(wrong)).unwrap_err().body();
            assert_eq!(told["errors"][0]["parameter"], "cursor", "{wrong}");
        }
        for wrong in [0, MOST + 1, u64::MAX] {
            assert_eq!(
                Page::of("things", Some(wrong), None).unwrap_err().body()["errors"][0]["parameter"],
                "limit"
            );
        }
    }

    #[test]
    fn numbers_sort_as_keys() {
        let some = [i64::MIN, -5, -1, 0, 1, 9, 10, i64::MAX];
        for pair in some.windows(2) {
            assert!(number(pair[0]) < number(pair[1]), "{pair:?}");
        }
        assert!(some.iter().all(|one| of_number(&number(*one)) == Some(*one)));
        assert_eq!(of_number("x"), None);
    }
}
