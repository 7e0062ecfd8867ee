//! Words of the special categories of GDPR Art. 9(1) other than health, in six languages.
//!
//! Source: Regulation (EU) 2016/679, Art. 9(1) and recitals 51 to 56 (<https://eur-lex.europa.eu/eli/reg/2016/679/oj>). The words
//! say what somebody is or belongs to; they count only where something before them speaks of a person.

use super::Lang;
use crate::EntityType as E;

pub(super) const WORDS: &[(E, Lang, &str)] = &[
    (
        E::Religion,
        Lang::En,
        "catholic|protestant|christian|evangelical|orthodox christian|lutheran|baptist|methodist|mormon|jehovah's witness|muslim|\
sunni|shia|jewish|hindu|buddhist|sikh|atheist|agnostic|scientologist|pagan|converted to islam|converted to judaism|\
baptised|baptized|bar mitzvah|attends mosque|goes to church|prays five times",
    ),
    (
        E::Religion,
        Lang::De,
        "katholisch|katholik|katholikin|evangelisch|protestant|christ|christin|muslim|muslima|muslimin|muslimisch|jüdisch|jude|\
jüdin|hinduistisch|hindu|buddhist|buddhistin|sikh|atheist|atheistin|konfessionslos|zeuge jehovas|zeugin jehovas|\
zum islam konvertiert|aus der kirche ausgetreten|kirchensteuer|getauft",
    ),
    (
        E::Religion,
        Lang::Fr,
        "catholique|protestant|protestante|chrétien|chrétienne|musulman|musulmane|juif|juive|hindou|bouddhiste|sikh|athée|\
témoin de jéhovah|converti à l'islam|baptisé|baptisée|pratiquant|pratiquante",
    ),
    (
        E::Religion,
        Lang::Es,
        "católico|católica|protestante|cristiano|cristiana|evangélico|evangélica|musulmán|musulmana|judío|judía|hindú|budista|\
sij|ateo|atea|testigo de jehová|convertido al islam|bautizado|bautizada",
    ),
    (
        E::Religion,
        Lang::It,
        "cattolico|cattolica|protestante|cristiano|cristiana|musulmano|musulmana|ebreo|ebrea|induista|buddista|sikh|ateo|atea|\
testimone di geova|convertito all'islam|battezzato|battezzata",
    ),
    (
        E::Religion,
        Lang::Nl,
        "katholiek|protestant|protestants|christen|christelijk|gereformeerd|moslim|islamitisch|joods|jood|hindoe|boeddhist|sikh|\
atheïst|jehova's getuige|bekeerd tot de islam|gedoopt",
    ),
    (
        E::EthnicOrigin,
        Lang::En,
        "african american|afro caribbean|hispanic|latino|latina|native american|indigenous|aboriginal|roma|romani|traveller|\
kurdish|arab|black british|of african descent|of asian descent|of turkish origin|mixed race|biracial|ethnic minority|\
ethnicity|dark skinned",
    ),
    (
        E::EthnicOrigin,
        Lang::De,
        "türkischstämmig|türkischer herkunft|arabischer herkunft|afrikanischer herkunft|afrodeutsch|schwarzafrikaner|roma|sinti|\
kurde|kurdin|kurdisch|migrationshintergrund|ethnische herkunft|russlanddeutsch|dunkelhäutig|hautfarbe",
    ),
    (
        E::EthnicOrigin,
        Lang::Fr,
        "d'origine maghrébine|maghrébin|maghrébine|d'origine africaine|d'origine arabe|rom|kurde|métis|métisse|origine ethnique|\
couleur de peau",
    ),
    (
        E::EthnicOrigin,
        Lang::Es,
        "gitano|gitana|indígena|afrodescendiente|mestizo|mestiza|kurdo|kurda|de origen árabe|de origen africano|origen étnico|\
color de piel",
    ),
    (
        E::EthnicOrigin,
        Lang::It,
        "di origine araba|di origine africana|di etnia rom|curdo|curda|meticcio|meticcia|origine etnica|colore della pelle",
    ),
    (
        E::EthnicOrigin,
        Lang::Nl,
        "van turkse afkomst|van marokkaanse afkomst|surinaams|koerdisch|roma|etnische afkomst|migratieachtergrond|huidskleur",
    ),
    (
        E::PoliticalOpinion,
        Lang::En,
        "republican|democrat|democratic party|conservative party|labour party|liberal democrat|green party|socialist|communist|\
marxist|anarchist|libertarian|nationalist|fascist|party member|voted for|votes for|voted labour|voted conservative|\
political activist|campaigned for",
    ),
    (
        E::PoliticalOpinion,
        Lang::De,
        "cdu|csu|spd|fdp|afd|die linke|die grünen|bündnis 90|parteimitglied|kommunist|kommunistin|sozialist|sozialistin|\
sozialdemokrat|sozialdemokratin|anarchist|nationalist|wählt die|parteibuch|politische überzeugung",
    ),
    (
        E::PoliticalOpinion,
        Lang::Fr,
        "parti socialiste|rassemblement national|les républicains|la france insoumise|parti communiste|socialiste|communiste|\
anarchiste|nationaliste|a voté pour|opinion politique|militant politique",
    ),
    (
        E::PoliticalOpinion,
        Lang::Es,
        "psoe|partido popular|podemos|vox|partido comunista|socialista|comunista|anarquista|nacionalista|votó a|ideología política",
    ),
    (
        E::PoliticalOpinion,
        Lang::It,
        "partito democratico|forza italia|fratelli d'italia|movimento 5 stelle|comunista|socialista|anarchico|ha votato|\
opinione politica|iscritto al partito",
    ),
    (
        E::PoliticalOpinion,
        Lang::Nl,
        "pvda|vvd|cda|pvv|groenlinks|partijlid|socialist|communist|stemt op|stemde op|politieke overtuiging",
    ),
    (
        E::TradeUnion,
        Lang::En,
        "trade union|trade unionist|union member|union membership|union rep|shop steward|labor union|labour union|teamsters|\
unionised|unionized|union dues",
    ),
    (
        E::TradeUnion,
        Lang::De,
        "gewerkschaft|gewerkschaftsmitglied|gewerkschafter|gewerkschafterin|ver.di|verdi mitglied|ig metall|ig bce|betriebsrat|\
gewerkschaftsbeitrag",
    ),
    (
        E::TradeUnion,
        Lang::Fr,
        "syndicat|syndiqué|syndiquée|délégué syndical|déléguée syndicale|cgt|cfdt|force ouvrière",
    ),
    (
        E::TradeUnion,
        Lang::Es,
        "sindicato|sindicalista|afiliado al sindicato|delegado sindical|comisiones obreras|ugt",
    ),
    (E::TradeUnion, Lang::It, "sindacato|sindacalista|iscritto al sindacato|iscritta al sindacato|cgil|cisl"),
    (E::TradeUnion, Lang::Nl, "vakbond|vakbondslid|lid van de vakbond|fnv|cnv"),
    (
        E::SexualOrientation,
        Lang::En,
        "gay|lesbian|bisexual|homosexual|heterosexual|transgender|trans woman|trans man|queer|asexual|non binary|nonbinary|\
sexual orientation|sex life|came out as|extramarital affair|escort service|sex worker",
    ),
    (
        E::SexualOrientation,
        Lang::De,
        "schwul|lesbisch|bisexuell|homosexuell|heterosexuell|transgeschlechtlich|transsexuell|queer|asexuell|nichtbinär|\
sexuelle orientierung|sexualleben|hat sich geoutet",
    ),
    (
        E::SexualOrientation,
        Lang::Fr,
        "gay|lesbienne|bisexuel|bisexuelle|homosexuel|homosexuelle|hétérosexuel|transgenre|asexuel|orientation sexuelle|vie sexuelle",
    ),
    (
        E::SexualOrientation,
        Lang::Es,
        "gay|lesbiana|bisexual|homosexual|heterosexual|transexual|transgénero|asexual|orientación sexual|vida sexual",
    ),
    (
        E::SexualOrientation,
        Lang::It,
        "gay|lesbica|bisessuale|omosessuale|eterosessuale|transessuale|transgender|asessuale|orientamento sessuale|vita sessuale",
    ),
    (
        E::SexualOrientation,
        Lang::Nl,
        "homo|homoseksueel|lesbisch|biseksueel|heteroseksueel|transgender|aseksueel|seksuele geaardheid|seksleven",
    ),
    (
        E::GeneticData,
        Lang::En,
        "brca1|brca2|genetic test|genome sequence|dna profile|dna test|gene mutation|mutation carrier|genetic predisposition|\
karyotype|carrier status|huntington gene",
    ),
    (
        E::GeneticData,
        Lang::De,
        "gentest|genmutation|dna profil|dna test|erbgut|genetische veranlagung|chromosomenanalyse",
    ),
    (
        E::GeneticData,
        Lang::Fr,
        "test génétique|mutation génétique|profil adn|test adn|prédisposition génétique|caryotype",
    ),
    (
        E::GeneticData,
        Lang::Es,
        "prueba genética|mutación genética|perfil de adn|prueba de adn|predisposición genética",
    ),
    (
        E::GeneticData,
        Lang::It,
        "test genetico|mutazione genetica|profilo del dna|test del dna|predisposizione genetica",
    ),
    (E::GeneticData, Lang::Nl, "genetische test|genmutatie|dna profiel|dna test|erfelijke aanleg"),
    (
        E::BiometricData,
        Lang::En,
        "fingerprint|fingerprints|palm print|iris scan|retina scan|face print|faceprint|voiceprint|voice print|facial recognition|\
biometric|biometric template|gait analysis",
    ),
    (
        E::BiometricData,
        Lang::De,
        "fingerabdruck|fingerabdrücke|handabdruck|irisscan|netzhautscan|gesichtserkennung|stimmabdruck|biometrisch",
    ),
    (
        E::BiometricData,
        Lang::Fr,
        "empreinte digitale|empreintes digitales|scan de l'iris|reconnaissance faciale|empreinte vocale|biométrique",
    ),
    (
        E::BiometricData,
        Lang::Es,
        "huella dactilar|huellas dactilares|escaneo de iris|reconocimiento facial|huella de voz|biométrico",
    ),
    (
        E::BiometricData,
        Lang::It,
        "impronta digitale|impronte digitali|scansione dell'iride|riconoscimento facciale|impronta vocale|biometrico",
    ),
    (
        E::BiometricData,
        Lang::Nl,
        "vingerafdruk|vingerafdrukken|irisscan|gezichtsherkenning|stemafdruk|biometrisch",
    ),
];

/// Words that speak of a person: what somebody is, has or belongs to follows them.
pub(super) const PEOPLE: &[&str] = &[
    "applicant",
    "bewerber",
    "bewerberin",
    "bin",
    "boyfriend",
    "candidate",
    "child",
    "client",
    "clienta",
    "cliente",
    "colega",
    "colleague",
    "collega",
    "collègue",
    "customer",
    "daughter",
    "dochter",
    "dr",
    "prof",
    "ella",
    "elle",
    "employee",
    "employé",
    "employée",
    "empleada",
    "empleado",
    "er",
    "father",
    "figlia",
    "figlio",
    "fille",
    "fils",
    "frau",
    "girlfriend",
    "haar",
    "he",
    "heb",
    "heeft",
    "her",
    "herr",
    "hija",
    "hijo",
    "hij",
    "his",
    "husband",
    "i",
    "i'm",
    "i've",
    "ich",
    "ihr",
    "ihre",
    "ihrer",
    "ik",
    "il",
    "j'ai",
    "je",
    "kollege",
    "kollegin",
    "lei",
    "lui",
    "ma",
    "madame",
    "madre",
    "man",
    "mann",
    "mari",
    "marido",
    "marito",
    "me",
    "mein",
    "meine",
    "meiner",
    "mevrouw",
    "mi",
    "mia",
    "mijn",
    "mio",
    "mitarbeiter",
    "mitarbeiterin",
    "moglie",
    "moeder",
    "mon",
    "monsieur",
    "mother",
    "mr",
    "mrs",
    "ms",
    "mujer",
    "mutter",
    "my",
    "mère",
    "neighbor",
    "neighbour",
    "ouder",
    "paciente",
    "padre",
    "partner",
    "patient",
    "patiente",
    "patientin",
    "patients",
    "patiënt",
    "paziente",
    "person",
    "père",
    "resident",
    "sa",
    "sein",
    "seine",
    "seiner",
    "señor",
    "señora",
    "she",
    "she's",
    "sie",
    "signor",
    "signora",
    "sister",
    "sohn",
    "son",
    "sono",
    "soy",
    "student",
    "su",
    "sua",
    "suis",
    "suo",
    "tengo",
    "tiene",
    "tochter",
    "vader",
    "vater",
    "vrouw",
    "who",
    "wife",
    "woman",
    "yo",
    "zij",
    "zijn",
    "él",
];
