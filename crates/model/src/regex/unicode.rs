//! The names that `\p{…}` takes, and the classes that they stand for.
//!
//! Case, spaces, underscores and dashes do not count, as in Go since 1.25. The tables are those of
//! `regex-syntax` (Unicode 16); Go 1.26 has Unicode 15, Go 1.27 has 17.
//!
//! *Sources*: Go, `unicode`: `Categories`, `CategoryAliases`, `Scripts`; `unicodeTable` of
//! `regexp/syntax/parse.go`.

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, HirKind};

/// The class of a name.
pub(super) fn class(name: &str) -> Option<ClassUnicode> {
    let name: String = name
        .chars()
        .filter(|c| !matches!(c, '_' | '-' | ' '))
        .map(|c| c.to_ascii_lowercase())
        .collect();
    match name.as_str() {
        "any" => return Some(up_to(char::MAX)),
        "ascii" => return Some(up_to('\x7F')),
        "assigned" => {
            let mut assigned = lookup("gc", "cn")?;
            assigned.negate();
            return Some(assigned);
        }
        _ => {}
    }
    let alias = CATEGORY_ALIASES
        .split(' ')
        .filter_map(|pair| pair.split_once('='))
        .find(|(long, _)| *long == name)
        .map(|(_, short)| short);
    let category = alias.unwrap_or(&name);
    if category == "cs" {
        // Surrogates, which no text has.
        return Some(ClassUnicode::empty());
    }
    if CATEGORIES.split(' ').any(|known| known == category) {
        return lookup("gc", category);
    }
    SCRIPTS
        .split(' ')
        .any(|known| known == name)
        .then(|| lookup("sc", &name))?
}

fn up_to(last: char) -> ClassUnicode {
    ClassUnicode::new([ClassUnicodeRange::new('\0', last)])
}

/// What `regex-syntax` has under the name.
fn lookup(property: &str, value: &str) -> Option<ClassUnicode> {
    let hir = regex_syntax::parse(&format!(r"\p{{{property}={value}}}")).ok()?;
    match hir.into_kind() {
        HirKind::Class(Class::Unicode(class)) => Some(class),
        // A class of one character.
        HirKind::Literal(only) => {
            let only = std::str::from_utf8(&only.0).ok()?.chars().next()?;
            Some(ClassUnicode::new([ClassUnicodeRange::new(only, only)]))
        }
        _ => None,
    }
}

const CATEGORIES: &str = "\
    c cc cf cn co cs l lc ll lm lo lt lu m mc me mn n nd nl no p pc pd pe pf pi po ps s sc sk sm \
    so z zl zp zs";

const CATEGORY_ALIASES: &str = "\
    casedletter=lc closepunctuation=pe combiningmark=m connectorpunctuation=pc control=cc \
    currencysymbol=sc dashpunctuation=pd decimalnumber=nd enclosingmark=me finalpunctuation=pf \
    format=cf initialpunctuation=pi letter=l letternumber=nl lineseparator=zl lowercaseletter=ll \
    mark=m mathsymbol=sm modifierletter=lm modifiersymbol=sk nonspacingmark=mn number=n \
    openpunctuation=ps other=c otherletter=lo othernumber=no otherpunctuation=po othersymbol=so \
    paragraphseparator=zp privateuse=co punctuation=p separator=z spaceseparator=zs \
    spacingmark=mc surrogate=cs symbol=s titlecaseletter=lt unassigned=cn uppercaseletter=lu \
    cntrl=cc digit=nd punct=p";

const SCRIPTS: &str = "\
    adlam ahom anatolianhieroglyphs arabic armenian avestan balinese bamum bassavah batak \
    bengali bhaiksuki bopomofo brahmi braille buginese buhid canadianaboriginal carian \
    caucasianalbanian chakma cham cherokee chorasmian common coptic cuneiform cypriot \
    cyprominoan cyrillic deseret devanagari divesakuru dogra duployan egyptianhieroglyphs \
    elbasan elymaic ethiopic garay georgian glagolitic gothic grantha greek gujarati \
    gunjalagondi gurmukhi gurungkhema han hangul hanifirohingya hanunoo hatran hebrew hiragana \
    imperialaramaic inherited inscriptionalpahlavi inscriptionalparthian javanese kaithi kannada \
    katakana kawi kayahli kharoshthi khitansmallscript khmer khojki khudawadi kiratrai lao latin \
    lepcha limbu lineara linearb lisu lycian lydian mahajani makasar malayalam mandaic \
    manichaean marchen masaramgondi medefaidrin meeteimayek mendekikakui meroiticcursive \
    meroitichieroglyphs miao modi mongolian mro multani myanmar nabataean nagmundari nandinagari \
    newtailue newa nko nushu nyiakengpuachuehmong ogham olchiki olonal oldhungarian olditalic \
    oldnortharabian oldpermic oldpersian oldsogdian oldsoutharabian oldturkic olduyghur oriya \
    osage osmanya pahawhhmong palmyrene paucinhau phagspa phoenician psalterpahlavi rejang runic \
    samaritan saurashtra sharada shavian siddham signwriting sinhala sogdian sorasompeng soyombo \
    sundanese sunuwar sylotinagri syriac tagalog tagbanwa taile taitham taiviet takri tamil \
    tangsa tangut telugu thaana thai tibetan tifinagh tirhuta todhri toto tulutigalari ugaritic \
    vai vithkuqi wancho warangciti yezidi yi zanabazarsquare";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_class() {
        let aliases = CATEGORY_ALIASES
            .split(' ')
            .filter_map(|it| it.split_once('='));
        let long = aliases.map(|(long, _)| long);
        for name in CATEGORIES.split(' ').chain(SCRIPTS.split(' ')).chain(long) {
            assert!(class(name).is_some(), "{name}");
        }
        for refused in ["", "alphabetic", "grek", "sc=greek", "Greek1"] {
            assert!(class(refused).is_none(), "{refused}");
        }
    }
}
