//! The kinds of entity, one line each: name, data classes, whether it is looked for unless a rule asks otherwise.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

use crate::{ClassSet, DataClass, UnknownName};

/// Whether a kind is looked for.
const ON: bool = true;
/// Only where it is asked for: its precision is poor.
const ASKED: bool = false;

macro_rules! kinds {
    ($(#[doc = $doc:literal] $kind:ident $name:literal [$($class:ident),*] $on:ident;)*) => {
        /// A kind of entity. The order of the variants is that of their bits in [`EntitySet`](crate::EntitySet): append only.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum EntityType {
            $(#[doc = $doc] #[serde(rename = $name)] $kind,)*
        }

        impl EntityType {
            /// Every kind, in declaration order.
            pub const ALL: [Self; Self::COUNT] = [$(Self::$kind),*];

            /// How many kinds there are.
            pub const COUNT: usize = [$($name),*].len();

            /// The name used in rules, placeholders, headers and records.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// What it is, in a sentence without a verb.
            pub const fn description(self) -> &'static str {
                match self { $(Self::$kind => $doc.trim_ascii(),)* }
            }

            /// The data classes that a finding of this kind alone puts a request in. Kinds together may mean more:
            /// [`EntitySet::data_classes`](crate::EntitySet::data_classes).
            pub const fn data_classes(self) -> ClassSet {
                match self { $(Self::$kind => ClassSet::EMPTY$(.with(DataClass::$class))*,)* }
            }

            /// Whether a detector looks for it unless told otherwise. The others have poor precision.
            pub const fn is_on(self) -> bool {
                match self { $(Self::$kind => $on,)* }
            }
        }
    };
}

kinds! {
    /// An e-mail address.
    Email "EMAIL" [Personal] ON;
    /// A telephone number.
    Phone "PHONE" [Personal] ON;
    /// A payment card number (PAN).
    Card "CARD" [Pci] ON;
    /// An International Bank Account Number.
    Iban "IBAN" [Personal] ON;
    /// An IPv4 or IPv6 address.
    IpAddress "IP_ADDRESS" [Personal] ON;
    /// A URL.
    Url "URL" [Personal] ON;
    /// A United States social security number.
    UsSsn "US_SSN" [Personal] ON;
    /// A German tax identification number (steuerliche Identifikationsnummer).
    DeTaxId "DE_TAX_ID" [Personal] ON;
    /// A secret: provider or cloud key, password, private key, connection string.
    Credential "CREDENTIAL" [Credentials] ON;
    /// A JSON Web Token.
    Jwt "JWT" [Credentials] ON;
    /// A Business Identifier Code (BIC, SWIFT code) of a bank.
    Bic "BIC" [] ON;
    /// A MAC address of a network interface.
    MacAddress "MAC_ADDRESS" [Personal] ON;
    /// An International Mobile Equipment Identity.
    Imei "IMEI" [Personal] ON;
    /// A Vehicle Identification Number.
    Vin "VIN" [Personal] ON;
    /// A licence plate.
    LicensePlate "LICENSE_PLATE" [Personal] ON;
    /// A geographic position.
    Coordinates "COORDINATES" [Personal] ON;
    /// An address of a crypto-currency.
    CryptoAddress "CRYPTO_ADDRESS" [Personal] ON;
    /// A bank account number other than an IBAN.
    BankAccount "BANK_ACCOUNT" [Personal] ON;
    /// A date of birth.
    DateOfBirth "DATE_OF_BIRTH" [Personal] ON;
    /// A date in a person's life or care: admission, discharge, death, marriage.
    PersonalDate "PERSONAL_DATE" [Personal] ON;
    /// An age over 89.
    Age "AGE" [Personal] ON;
    /// A passport number.
    Passport "PASSPORT" [Personal] ON;
    /// A driving licence number.
    DriverLicense "DRIVER_LICENSE" [Personal] ON;
    /// A number of a certificate or professional licence.
    LicenseNumber "LICENSE_NUMBER" [Personal] ON;
    /// A VAT identification number.
    VatNumber "VAT_NUMBER" [Personal] ON;
    /// A United States individual taxpayer identification number.
    UsItin "US_ITIN" [Personal] ON;
    /// A United States employer identification number.
    UsEin "US_EIN" [] ON;
    /// A United States national provider identifier of a health care provider.
    UsNpi "US_NPI" [Personal] ON;
    /// A registration number of the United States Drug Enforcement Administration.
    UsDea "US_DEA" [Personal] ON;
    /// A United States Medicare beneficiary identifier.
    UsMbi "US_MBI" [Personal, Phi] ON;
    /// A British national insurance number.
    UkNino "UK_NINO" [Personal] ON;
    /// A number of the British National Health Service.
    UkNhs "UK_NHS" [Personal] ON;
    /// A British unique taxpayer reference.
    UkUtr "UK_UTR" [Personal] ON;
    /// A German pension insurance number.
    DeSocialInsurance "DE_SOCIAL_INSURANCE" [Personal] ON;
    /// The number of a German identity card.
    DeIdCard "DE_ID_CARD" [Personal] ON;
    /// A German health insurance number (Krankenversichertennummer).
    DeHealthInsurance "DE_HEALTH_INSURANCE" [Personal] ON;
    /// An Austrian social insurance number.
    AtSvnr "AT_SVNR" [Personal] ON;
    /// A Swiss or Liechtenstein social insurance number (AHV, AVS).
    ChAhv "CH_AHV" [Personal] ON;
    /// A French social security number (NIR).
    FrNir "FR_NIR" [Personal] ON;
    /// A French tax number (numéro fiscal).
    FrTaxId "FR_TAX_ID" [Personal] ON;
    /// A Belgian national register number.
    BeNrn "BE_NRN" [Personal] ON;
    /// A Dutch citizen service number.
    NlBsn "NL_BSN" [Personal] ON;
    /// A Luxembourg national identification number.
    LuNin "LU_NIN" [Personal] ON;
    /// A Spanish tax or foreigner's identification number (DNI, NIF, NIE).
    EsNif "ES_NIF" [Personal] ON;
    /// A Spanish social security number.
    EsSsn "ES_SSN" [Personal] ON;
    /// A Portuguese tax number.
    PtNif "PT_NIF" [Personal] ON;
    /// The number of a Portuguese citizen card.
    PtCitizenCard "PT_CITIZEN_CARD" [Personal] ON;
    /// An Italian fiscal code.
    ItFiscalCode "IT_FISCAL_CODE" [Personal] ON;
    /// An Irish personal public service number.
    IePps "IE_PPS" [Personal] ON;
    /// A Danish civil registration number.
    DkCpr "DK_CPR" [Personal] ON;
    /// A Swedish personal identity or coordination number.
    SePersonnummer "SE_PERSONNUMMER" [Personal] ON;
    /// A Norwegian birth number or D-number.
    NoFodselsnummer "NO_FODSELSNUMMER" [Personal] ON;
    /// A Finnish personal identity code.
    FiHetu "FI_HETU" [Personal] ON;
    /// An Icelandic identification number.
    IsKennitala "IS_KENNITALA" [Personal] ON;
    /// A Polish PESEL number.
    PlPesel "PL_PESEL" [Personal] ON;
    /// A Polish tax number.
    PlNip "PL_NIP" [Personal] ON;
    /// The number of a Polish identity card.
    PlIdCard "PL_ID_CARD" [Personal] ON;
    /// A Czech or Slovak birth number.
    CzBirthNumber "CZ_BIRTH_NUMBER" [Personal] ON;
    /// A Hungarian tax identification number.
    HuTaxId "HU_TAX_ID" [Personal] ON;
    /// A Hungarian social security number.
    HuTaj "HU_TAJ" [Personal] ON;
    /// A Romanian personal numeric code.
    RoCnp "RO_CNP" [Personal] ON;
    /// A Bulgarian civil number.
    BgEgn "BG_EGN" [Personal] ON;
    /// A Croatian personal identification number.
    HrOib "HR_OIB" [Personal] ON;
    /// A Slovenian personal number.
    SiEmso "SI_EMSO" [Personal] ON;
    /// A Slovenian tax number.
    SiTaxId "SI_TAX_ID" [Personal] ON;
    /// An Estonian personal identification code.
    EeIdCode "EE_ID_CODE" [Personal] ON;
    /// A Latvian personal code.
    LvPersonalCode "LV_PERSONAL_CODE" [Personal] ON;
    /// A Lithuanian personal code.
    LtPersonalCode "LT_PERSONAL_CODE" [Personal] ON;
    /// A Greek tax number.
    GrAfm "GR_AFM" [Personal] ON;
    /// A Greek social security number.
    GrAmka "GR_AMKA" [Personal] ON;
    /// A Cypriot tax identification code.
    CyTic "CY_TIC" [Personal] ON;
    /// The number of a Maltese identity card.
    MtIdCard "MT_ID_CARD" [Personal] ON;
    /// A Canadian social insurance number.
    CaSin "CA_SIN" [Personal] ON;
    /// An Australian tax file number.
    AuTfn "AU_TFN" [Personal] ON;
    /// An Australian Medicare number.
    AuMedicare "AU_MEDICARE" [Personal] ON;
    /// An Australian business number.
    AuAbn "AU_ABN" [] ON;
    /// An Indian Aadhaar number.
    InAadhaar "IN_AADHAAR" [Personal] ON;
    /// An Indian permanent account number.
    InPan "IN_PAN" [Personal] ON;
    /// A Brazilian taxpayer number of a person.
    BrCpf "BR_CPF" [Personal] ON;
    /// A Brazilian taxpayer number of a business.
    BrCnpj "BR_CNPJ" [] ON;
    /// A Japanese individual number (My Number).
    JpMyNumber "JP_MY_NUMBER" [Personal] ON;
    /// A South Korean resident registration number.
    KrRrn "KR_RRN" [Personal] ON;
    /// A number of a Singapore identity card or pass (NRIC, FIN).
    SgNric "SG_NRIC" [Personal] ON;
    /// An Israeli identity number.
    IlId "IL_ID" [Personal] ON;
    /// A medical record or patient number.
    MedicalRecordNumber "MEDICAL_RECORD_NUMBER" [Personal, Phi] ON;
    /// A number of a member or policy of a health plan.
    HealthPlanId "HEALTH_PLAN_ID" [Personal, Phi] ON;
    /// A diagnosis code (ICD-10) where something says that it is one.
    DiagnosisCode "DIAGNOSIS_CODE" [] ON;
    /// The name of a disease, a drug, a therapy or a laboratory test.
    HealthTerm "HEALTH_TERM" [] ON;
    /// The same, said of somebody.
    HealthCondition "HEALTH_CONDITION" [SpecialCategory] ON;
    /// A religion or belief, said of somebody.
    Religion "RELIGION" [SpecialCategory] ON;
    /// A racial or ethnic origin, said of somebody.
    EthnicOrigin "ETHNIC_ORIGIN" [SpecialCategory] ON;
    /// A political opinion or party, said of somebody.
    PoliticalOpinion "POLITICAL_OPINION" [SpecialCategory] ON;
    /// Membership of a trade union.
    TradeUnion "TRADE_UNION" [SpecialCategory] ON;
    /// Sex life or sexual orientation, said of somebody.
    SexualOrientation "SEXUAL_ORIENTATION" [SpecialCategory] ON;
    /// Genetic data: a test of somebody's genes, a variant that somebody carries.
    GeneticData "GENETIC_DATA" [SpecialCategory] ON;
    /// Biometric data: a finger, face, iris or voice print of somebody.
    BiometricData "BIOMETRIC_DATA" [SpecialCategory] ON;
    /// A person's name.
    Person "PERSON" [Personal] ASKED;
    /// A street with a house number.
    StreetAddress "STREET_ADDRESS" [Personal] ON;
    /// A city.
    City "CITY" [] ASKED;
    /// A postal code of a small area.
    PostalCode "POSTAL_CODE" [Personal] ON;
    /// A company or institution.
    Organisation "ORGANISATION" [] ASKED;
}

// The sets are 128 bits wide.
const _: () = assert!(EntityType::COUNT < 128);

impl EntityType {
    /// Whether a redacted value of this kind may ever be put back. Secrets may not.
    pub const fn is_restorable(self) -> bool {
        !matches!(self, Self::Credential | Self::Jwt)
    }

    /// Whether a finding of this kind points at one person, household or account, so that words about health beside it
    /// are about somebody: the identifiers of 45 CFR 164.514(b)(2)(i), but for addresses of the web, which name places more
    /// often than people.
    pub const fn identifies(self) -> bool {
        let classes = self.data_classes();
        (classes.contains(DataClass::Personal) && !matches!(self, Self::Url | Self::VatNumber))
            || classes.contains(DataClass::Pci)
    }

    /// Whether it is a word about health.
    pub const fn is_health(self) -> bool {
        matches!(self, Self::DiagnosisCode | Self::HealthTerm | Self::HealthCondition)
    }

    /// Whether a finding of this kind may reach over several words of letters, so that a stream has to hold them back.
    pub(crate) const fn spans_words(self) -> bool {
        matches!(
            self,
            Self::HealthTerm
                | Self::HealthCondition
                | Self::Religion
                | Self::EthnicOrigin
                | Self::PoliticalOpinion
                | Self::TradeUnion
                | Self::SexualOrientation
                | Self::GeneticData
                | Self::BiometricData
                | Self::Person
                | Self::StreetAddress
                | Self::City
                | Self::PostalCode
                | Self::Organisation
                | Self::DateOfBirth
                | Self::PersonalDate
                | Self::Age
        )
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    pub(crate) const fn bit(self) -> u128 {
        1 << (self as u32)
    }
}

impl fmt::Display for EntityType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for EntityType {
    type Err = UnknownName;

    fn from_str(s: &str) -> Result<Self, UnknownName> {
        Self::ALL
            .into_iter()
            .find(|entity| entity.as_str() == s)
            .ok_or_else(|| UnknownName::new("entity type", Self::ALL.map(Self::as_str)))
    }
}
