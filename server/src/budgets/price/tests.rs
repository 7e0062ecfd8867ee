use proptest::prelude::*;

use super::*;

const GPT: Price = Price { cached_input: 1_250_000_000, ..Price::of_text(2_500_000_000, 10_000_000_000) };

fn usage(input_tokens: u64, cached_input_tokens: u64, output_tokens: u64) -> Usage {
    Usage { input_tokens, cached_input_tokens, output_tokens, ..Usage::default() }
}

#[test]
fn rounds_up_and_counts_cached_tokens_once() {
    assert_eq!(GPT.cost_nano(&usage(1, 0, 0)), 2_500);
    assert_eq!(GPT.cost_nano(&usage(1_000, 400, 10)), 600 * 2_500 + 400 * 1_250 + 10 * 10_000);
    assert_eq!(Price::of_text(1, 1).cost_nano(&usage(1, 0, 0)), 1);
    assert_eq!(GPT.cost_nano(&usage(u64::MAX, 0, u64::MAX)), i64::MAX);
}

#[test]
fn every_kind_of_token_has_its_price() {
    let price = Price {
        input: 1_000_000,
        cached_input: 2_000_000,
        cache_write: 3_000_000,
        cache_write_1h: 12_000_000,
        image_input: 4_000_000,
        audio_input: 5_000_000,
        output: 6_000_000,
        reasoning: 7_000_000,
        image_output: 8_000_000,
        audio_output: 9_000_000,
        requests: 11_000_000,
        web_searches: Some(13_000_000),
        long: None,
    };
    let usage = Usage {
        input_tokens: 15,
        cached_input_tokens: 2,
        cache_write_tokens: 3,
        image_input_tokens: 4,
        audio_input_tokens: 5,
        output_tokens: 40,
        reasoning_tokens: 10,
        image_output_tokens: 10,
        audio_output_tokens: 10,
        ..Usage::default()
    };
    assert_eq!(price.cost_nano(&usage), 1 + 4 + 9 + 16 + 25 + 60 + 70 + 80 + 90 + 11);
    // Cached audio: five of five tokens are both.
    let both = Usage { input_tokens: 5, cached_input_tokens: 5, audio_input_tokens: 5, ..Usage::default() };
    assert_eq!(price.cost_nano(&both), 10 + 25 + 11);
    let worst = WorstCase { input: 10, output: 10, ..WorstCase::default() };
    assert_eq!(price.worst_case_nano(worst), 30 + 80 + 11);
    let media = WorstCase { media_input: true, audio_output: true, ..worst };
    assert_eq!(price.worst_case_nano(media), 50 + 90 + 11);
    assert_eq!(price.affordable_output(50 + 90 + 11, media), Some(10));
    assert_eq!(price.affordable_output(50 + 90 + 10, media), Some(9));
    assert_eq!(price.affordable_output(1, media), Some(0));
    assert_eq!(Price::of_text(1, 0).affordable_output(1, worst), None);
    // Two of the three that are written stay for an hour, and it searches twice.
    let more = Usage { cache_write_1h_tokens: Some(2), web_searches: Some(2), ..usage };
    assert_eq!(price.cost_nano(&more), price.cost_nano(&usage) - 6 + 24 + 26);
    assert!(price.is_whole(&more) && !Price { web_searches: None, ..price }.is_whole(&more));
    let held = WorstCase { long_cache: true, web_searches: 2, ..worst };
    assert_eq!(price.worst_case_nano(held), 120 + 80 + 11 + 26);
    assert_eq!(price.affordable_output(120 + 80 + 11 + 26, held), Some(10));
    let absurd = WorstCase { input: u64::MAX, output: u64::MAX, web_searches: u64::MAX, ..media };
    assert_eq!(GPT.worst_case_nano(absurd), i64::MAX);
    assert_eq!(GPT.affordable_output(i64::MAX, absurd), Some(0));
}

fn any_price() -> impl Strategy<Value = Price> {
    let long = prop::option::of((0_u64..2_000, prop::array::uniform3(0..i64::MAX)));
    let beside = (0..i64::MAX, prop::option::of(0..i64::MAX), 0..i64::MAX);
    (prop::array::uniform10(0..i64::MAX), beside, long).prop_map(
        |(of, (requests, web_searches, hour), long)| Price {
            input: of[0],
            cached_input: of[1],
            cache_write: of[2],
            cache_write_1h: hour,
            image_input: of[3],
            audio_input: of[4],
            output: of[5],
            reasoning: of[6],
            image_output: of[7],
            audio_output: of[8],
            requests,
            web_searches,
            long: long.map(|(above, [input, cached_input, output])| LongContext {
                above,
                input,
                cached_input,
                output,
            }),
        },
    )
}

proptest! {
    #[test]
    fn a_worst_case_is_at_least_every_cost_within_it(
        price in any_price(),
        scale in prop::sample::select(&[1_i64, 1_000_000_000, i64::MAX][..]),
        input in prop::array::uniform5(0_u64..1_000),
        output in prop::array::uniform4(0_u64..1_000),
        spare in (0_u64..1_000, 0_u64..1_000),
        hour in prop::option::of(0_u64..2_000),
        searches in 0_u64..1_000,
    ) {
        let down = |price: i64| price % scale;
        let price = Price { input: down(price.input), output: down(price.output), ..price };
        let usage = Usage {
            input_tokens: input.iter().sum(),
            cached_input_tokens: input[1],
            cache_write_tokens: input[2],
            image_input_tokens: input[3],
            audio_input_tokens: input[4],
            output_tokens: output.iter().sum(),
            reasoning_tokens: output[1],
            image_output_tokens: output[2],
            audio_output_tokens: output[3],
            cache_write_1h_tokens: hour,
            web_searches: Some(searches),
            ..Usage::default()
        };
        let worst = WorstCase {
            input: usage.input_tokens + spare.0,
            output: usage.output_tokens + spare.1,
            media_input: true,
            audio_output: true,
            long_cache: hour.is_some(),
            web_searches: searches,
        };
        let most = price.worst_case_nano(worst);
        prop_assert!((0..=most).contains(&price.cost_nano(&usage)));
        // What is affordable is affordable, and one token more is not.
        if most < i64::MAX && let Some(affordable) = price.affordable_output(most, worst) {
            prop_assert!(affordable >= worst.output);
            let at = |output| price.worst_case_nano(WorstCase { output, ..worst });
            prop_assert!(at(affordable) <= most);
            prop_assert!(at(affordable.saturating_add(1)) > most);
        }
    }

    #[test]
    fn nothing_that_a_provider_counts_makes_a_cost_wrap(
        price in any_price(),
        counts in prop::array::uniform11(any::<u64>()),
    ) {
        let usage = Usage {
            input_tokens: counts[0],
            cached_input_tokens: counts[1],
            cache_write_tokens: counts[2],
            image_input_tokens: counts[3],
            audio_input_tokens: counts[4],
            output_tokens: counts[5],
            reasoning_tokens: counts[6],
            image_output_tokens: counts[7],
            audio_output_tokens: counts[8],
            cache_write_1h_tokens: Some(counts[9]),
            web_searches: Some(counts[10]),
            ..Usage::default()
        };
        prop_assert!(price.cost_nano(&usage) >= 0);
    }
}

#[test]
fn a_long_input_has_prices_of_its_own_for_the_whole_request() {
    let long = LongContext { above: 100, input: 2_000_000, cached_input: 500_000, output: 3_000_000 };
    let price = Price { long: Some(long), ..Price::of_text(1_000_000, 2_000_000) };
    assert_eq!(price.cost_nano(&usage(100, 0, 10)), 100 + 20);
    assert_eq!(price.cost_nano(&usage(101, 0, 10)), 202 + 30);
    assert_eq!(price.cost_nano(&usage(102, 2, 10)), 200 + 1 + 30);
    let worst = |input| price.worst_case_nano(WorstCase { input, output: 10, ..WorstCase::default() });
    assert_eq!((worst(100), worst(101)), (120, 232));
    let affordable =
        |nano| price.affordable_output(nano, WorstCase { input: 101, output: 99, ..WorstCase::default() });
    assert_eq!((affordable(231), affordable(232)), (Some(9), Some(10)));
    assert_eq!(price.marked_up(10_000).cost_nano(&usage(101, 0, 10)), 2 * (202 + 30));
}

#[test]
fn a_markup_is_rounded_up_and_never_wraps() {
    assert_eq!(Price::of_text(100, 3).marked_up(750).input, 108);
    assert_eq!(Price::of_text(100, 3).marked_up(-1_000).output, 3);
    assert_eq!(Price::of_text(i64::MAX, 1).marked_up(100_000).input, i64::MAX);
    assert_eq!(Price::of_text(5, 5).marked_up(-10_000), Price::of_text(0, 0));
    for (text, markup) in [("7.5", 750), ("-12.25", -1_225), ("0", 0), ("1000", 100_000), ("-100", -10_000)] {
        assert_eq!(parse_markup(text), Ok(markup));
    }
    for bad in ["", "-", "1000.01", "-100.01", "1.234", "1e3", "+5", "99999", "5%"] {
        assert!(parse_markup(bad).is_err(), "{bad}");
    }
}

#[test]
fn the_price_in_force_changes_at_midnight() {
    let day: NaiveDate = "2027-01-01".parse().unwrap();
    let prices =
        Prices::new([day], |on| (on >= day).then(|| Price::of_text(2, 2)).or(Some(Price::of_text(1, 1))));
    let midnight = 1_798_761_600_000;
    assert_eq!(prices.at(midnight - 1).map(|price| price.input), Some(1));
    assert_eq!(prices.at(midnight).map(|price| price.input), Some(2));
    assert_eq!(prices.at(i64::MAX).map(|price| price.input), Some(2));
    assert_eq!(Prices::fixed(None).at(midnight), None);
    assert_eq!(Prices::default().at(midnight), None);
}

#[test]
fn dollars_round_trip() {
    for (text, nano) in [("0", 0), ("12.5", 12_500_000_000), ("0.000000001", 1), ("250", 250_000_000_000)] {
        assert_eq!(parse_usd(text), Ok(nano));
        assert_eq!(format_usd(nano), text);
    }
    for bad in ["", ".", "-1", "1e3", "1,5", "0.0000000001", "99999999999999999999", "9223372037"] {
        assert!(parse_usd(bad).is_err(), "{bad}");
    }
    assert_eq!(parse_usd("9223372036"), Ok(9_223_372_036_000_000_000));
}
