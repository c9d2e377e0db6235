//! Checks of matched bytes: structure, checksums, known samples. One file per check, each names its source.

mod africa_oceania;
mod americas;
mod asia;
mod aws;
mod bic;
mod bitcoin;
mod british_isles;
mod card;
mod crc32;
mod date;
mod eastern_europe;
mod email;
mod entropy;
mod ethereum;
mod github;
mod health;
mod iban;
mod ip;
mod jwt;
mod luhn;
mod mac;
mod mod11;
mod mod11_10;
mod mod97;
mod mrz;
mod names;
mod northern_europe;
mod number;
mod password;
mod phone;
mod private_key;
mod secret;
mod ssn;
#[cfg(test)]
mod tests;
mod track;
mod verhoeff;
mod western_europe;

/// A match of a pattern within its field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Match<'a> {
    /// The whole field: a check may look around the match.
    pub(super) field: &'a [u8],
    /// First byte.
    pub(super) start: usize,
    /// One past the last byte.
    pub(super) end: usize,
}

impl<'a> Match<'a> {
    /// The matched bytes.
    pub(super) fn bytes(&self) -> &'a [u8] {
        &self.field[self.start..self.end]
    }

    /// The values of the digits among the matched bytes.
    pub(super) fn digits(&self) -> Digits {
        Digits::of(self.bytes())
    }
}

/// The digits of a number, without separators; at most 32, more make it longer than any number checked here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Digits {
    values: [u8; 32],
    count: usize,
}

impl Digits {
    /// The digits among `bytes`.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut digits = Self { values: [0; 32], count: 0 };
        for byte in bytes.iter().filter(|byte| byte.is_ascii_digit()) {
            if let Some(value) = digits.values.get_mut(digits.count) {
                *value = byte - b'0';
                digits.count += 1;
            }
        }
        digits
    }

    /// Their values, first digit first.
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.values[..self.count]
    }

    /// The number that the digits `from..to` write.
    pub(super) fn number(&self, from: usize, to: usize) -> u64 {
        self.as_slice()
            .get(from..to)
            .unwrap_or_default()
            .iter()
            .fold(0, |number, digit| number * 10 + u64::from(*digit))
    }

    /// Whether all are the same, or each is one more, or one less, than the one before (9 and 0 adjoin).
    pub(super) fn is_trivial(&self) -> bool {
        let steps = |step: u8| self.as_slice().windows(2).all(|pair| (pair[0] + step) % 10 == pair[1]);
        steps(0) || steps(1) || steps(9)
    }
}

macro_rules! validators {
    ($($(#[$doc:meta])* $variant:ident = $name:literal => $check:expr,)*) => {
        /// A check in code that a pattern cannot express; declarations name it in snake_case.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub enum Validator {
            $($(#[$doc])* $variant,)*
        }

        impl Validator {
            /// Every validator with its name.
            pub const ALL: &[(&str, Validator)] = &[$(($name, Self::$variant)),*];

            /// Whether the match is what it looks like; if so its end, which a check may move.
            pub(super) fn accept(self, found: Match<'_>) -> Option<usize> {
                match self {
                    $(Self::$variant => {
                        let check: fn(Match<'_>) -> Option<usize> = $check;
                        check(found)
                    })*
                }
            }
        }
    };
}

validators! {
    /// Every match is a finding.
    #[default]
    None = "none" => |found| Some(found.end),
    /// Luhn checksum.
    Luhn = "luhn" => |found| keep(found, luhn::is_valid(found.digits().as_slice())),
    /// ISO/IEC 7064 MOD 97-10.
    Mod97 = "mod97" => |found| keep(found, mod97::is_valid(found.bytes())),
    /// ISO/IEC 7064 MOD 11-2.
    Mod11 = "mod11" => |found| keep(found, mod11::is_valid(found.bytes())),
    /// Verhoeff checksum.
    Verhoeff = "verhoeff" => |found| keep(found, verhoeff::is_valid(found.digits().as_slice())),
    /// The last eight hexadecimal digits are the CRC-32 of all before.
    Crc32 = "crc32" => |found| keep(found, crc32::ends_with_hex(found.bytes())),
    /// Payment card number.
    Card = "card" => |found| keep(found, card::is_card(&found)),
    /// Number that a word calls a payment card.
    NamedCard = "named_card" => |found| keep(found, card::is_named_card(&found)),
    /// US social security number.
    Ssn = "us_ssn" => |found| keep(found, ssn::is_valid(&found.digits())),
    /// International bank account number.
    Iban = "iban" => |found| keep(found, iban::is_valid(found.bytes())),
    /// E-mail address.
    Email = "email" => |found| keep(found, email::is_valid(&found)),
    /// International telephone number with its country code.
    PhoneInternational = "phone_international" => |found| keep(found, phone::is_international(&found)),
    /// Telephone number of the North American numbering plan.
    PhoneNanp = "phone_nanp" => |found| keep(found, phone::is_nanp(&found)),
    /// Telephone number in a national form.
    PhoneNational = "phone_national" => |found| keep(found, phone::is_national(&found)),
    /// IPv4 address that is no version number, or a network of such.
    Ipv4 = "ipv4" => |found| keep(found, ip::is_v4(&found)),
    /// IPv6 address or network.
    Ipv6 = "ipv6" => |found| keep(found, ip::is_v6(&found)),
    /// Hardware address of an interface.
    Mac = "mac" => |found| keep(found, mac::is_valid(found.bytes())),
    /// AWS access key id.
    AwsAccessKeyId = "aws_access_key_id" => |found| keep(found, aws::is_access_key_id(found.bytes())),
    /// GitHub token with a checksum.
    GithubToken = "github_token" => |found| keep(found, github::is_valid(found.bytes())),
    /// JSON Web Token.
    Jwt = "jwt" => |found| keep(found, jwt::is_valid(found.bytes())),
    /// Private key in PEM form: the match is the header, the finding reaches to the end of the key.
    PrivateKey = "private_key" => private_key::end,
    /// JSON Web Token in base64.
    JwtBase64 = "jwt_base64" => |found| keep(found, jwt::is_encoded(found.bytes())),
    /// Random and no placeholder.
    Token = "token" => |found| keep(found, secret::is_token(found.bytes())),
    /// As `token`, and not made of words.
    RandomToken = "random_token" => |found| keep(found, secret::is_random_token(found.bytes())),
    /// As `random_token`, and its name is not that of an identifier.
    NamedToken = "named_token" => |found| keep(found, secret::is_named(&found)),
    /// Random, letters and digits, and its name is that of a secret.
    GenericSecret = "generic_secret" => |found| keep(found, secret::is_generic(&found)),
    /// Password, neither placeholder nor reference: the match is its beginning, the finding reaches to its end.
    Password = "password" => password::end,
    /// Password of a URL: `@` and a host follow.
    UrlPassword = "url_password" => |found| keep(found, password::is_of_url(&found)),
    /// Password that curl is given.
    CurlPassword = "curl_password" => |found| keep(found, password::is_of_curl(&found)),
    /// Base64 of user and password.
    BasicCredentials = "basic_credentials" => |found| keep(found, password::is_basic(found.bytes())),
    /// Random enough for a secret: at least 3 bits a character.
    Entropy = "entropy" => |found| keep(found, entropy::bits_per_byte(found.bytes()) >= entropy::SECRET_BITS),
    /// Germany, tax identification number.
    DeTaxId = "de_tax_id" => |found| keep(found, western_europe::de_tax_id(found.bytes())),
    /// Germany, VAT number.
    DeVat = "de_vat" => |found| keep(found, western_europe::de_vat(found.bytes())),
    /// Germany, pension insurance number.
    DeSocialInsurance = "de_social_insurance" => |found| keep(found, western_europe::de_social_insurance(found.bytes())),
    /// Germany, identity card.
    DeIdCard = "de_id_card" => |found| keep(found, western_europe::de_id_card(found.bytes())),
    /// France, registration number of persons.
    FrNir = "fr_nir" => |found| keep(found, western_europe::fr_nir(found.bytes())),
    /// France, tax number of persons.
    FrNif = "fr_nif" => |found| keep(found, western_europe::fr_nif(found.bytes())),
    /// France, company.
    FrSiren = "fr_siren" => |found| keep(found, western_europe::fr_siren(found.bytes())),
    /// France, establishment.
    FrSiret = "fr_siret" => |found| keep(found, western_europe::fr_siret(found.bytes())),
    /// France, VAT number.
    FrVat = "fr_vat" => |found| keep(found, western_europe::fr_vat(found.bytes())),
    /// Spain, identity number of citizens.
    EsDni = "es_dni" => |found| keep(found, western_europe::es_dni(found.bytes())),
    /// Spain, identity number of foreigners.
    EsNie = "es_nie" => |found| keep(found, western_europe::es_nie(found.bytes())),
    /// Spain, company.
    EsCif = "es_cif" => |found| keep(found, western_europe::es_cif(found.bytes())),
    /// Italy, fiscal code.
    ItFiscalCode = "it_fiscal_code" => |found| keep(found, western_europe::it_fiscal_code(found.bytes())),
    /// Italy, VAT number.
    ItVat = "it_vat" => |found| keep(found, western_europe::it_vat(found.bytes())),
    /// Netherlands, citizen service number.
    NlBsn = "nl_bsn" => |found| keep(found, western_europe::nl_bsn(found.bytes())),
    /// Netherlands, VAT number.
    NlVat = "nl_vat" => |found| keep(found, western_europe::nl_vat(found.bytes())),
    /// Belgium, national number.
    BeNationalNumber = "be_national_number" => |found| keep(found, western_europe::be_national_number(found.bytes())),
    /// Belgium, enterprise number.
    BeVat = "be_vat" => |found| keep(found, western_europe::be_vat(found.bytes())),
    /// Austria, social insurance number.
    AtSsn = "at_ssn" => |found| keep(found, western_europe::at_ssn(found.bytes())),
    /// Austria, VAT number.
    AtVat = "at_vat" => |found| keep(found, western_europe::at_vat(found.bytes())),
    /// Switzerland, social insurance number.
    ChAhv = "ch_ahv" => |found| keep(found, western_europe::ch_ahv(found.bytes())),
    /// Switzerland, enterprise number.
    ChUid = "ch_uid" => |found| keep(found, western_europe::ch_uid(found.bytes())),
    /// Portugal, tax number.
    PtNif = "pt_nif" => |found| keep(found, western_europe::pt_nif(found.bytes())),
    /// Portugal, citizen card.
    PtCc = "pt_cc" => |found| keep(found, western_europe::pt_cc(found.bytes())),
    /// Sweden, personal identity number.
    SePersonnummer = "se_personnummer" => |found| keep(found, northern_europe::se_personnummer(found.bytes())),
    /// Sweden, organisation.
    SeCompany = "se_company" => |found| keep(found, northern_europe::se_company(found.bytes())),
    /// Norway, national identity number.
    NoFodselsnummer = "no_fodselsnummer" => |found| keep(found, northern_europe::no_fodselsnummer(found.bytes())),
    /// Norway, organisation.
    NoCompany = "no_company" => |found| keep(found, northern_europe::no_company(found.bytes())),
    /// Denmark, central person register.
    DkCpr = "dk_cpr" => |found| keep(found, northern_europe::dk_cpr(found.bytes())),
    /// Denmark, company.
    DkCvr = "dk_cvr" => |found| keep(found, northern_europe::dk_cvr(found.bytes())),
    /// Finland, personal identity code.
    FiHetu = "fi_hetu" => |found| keep(found, northern_europe::fi_hetu(found.bytes())),
    /// Finland, business identity code.
    FiBusinessId = "fi_business_id" => |found| keep(found, northern_europe::fi_business_id(found.bytes())),
    /// Iceland, identification number.
    IsKennitala = "is_kennitala" => |found| keep(found, northern_europe::is_kennitala(found.bytes())),
    /// Estonia and Lithuania, personal code.
    BalticPersonalCode = "baltic_personal_code" => |found| keep(found, northern_europe::baltic_personal_code(found.bytes())),
    /// Latvia, personal code.
    LvPersonalCode = "lv_personal_code" => |found| keep(found, northern_europe::lv_personal_code(found.bytes())),
    /// Poland, PESEL.
    PlPesel = "pl_pesel" => |found| keep(found, eastern_europe::pl_pesel(found.bytes())),
    /// Poland, tax number.
    PlNip = "pl_nip" => |found| keep(found, eastern_europe::pl_nip(found.bytes())),
    /// Poland, statistical number of companies.
    PlRegon = "pl_regon" => |found| keep(found, eastern_europe::pl_regon(found.bytes())),
    /// Czechia and Slovakia, birth number.
    BirthNumber = "birth_number" => |found| keep(found, eastern_europe::birth_number(found.bytes())),
    /// Romania, personal numerical code.
    RoCnp = "ro_cnp" => |found| keep(found, eastern_europe::ro_cnp(found.bytes())),
    /// Bulgaria, uniform civil number.
    BgEgn = "bg_egn" => |found| keep(found, eastern_europe::bg_egn(found.bytes())),
    /// Croatia, personal identification number.
    HrOib = "hr_oib" => |found| keep(found, eastern_europe::hr_oib(found.bytes())),
    /// Slovenia, Serbia, Bosnia, North Macedonia and Montenegro, master citizen number.
    Jmbg = "jmbg" => |found| keep(found, eastern_europe::jmbg(found.bytes())),
    /// Greece, social security number.
    GrAmka = "gr_amka" => |found| keep(found, eastern_europe::gr_amka(found.bytes())),
    /// Greece, tax number.
    GrAfm = "gr_afm" => |found| keep(found, eastern_europe::gr_afm(found.bytes())),
    /// Türkiye, identity number.
    TrKimlik = "tr_kimlik" => |found| keep(found, eastern_europe::tr_kimlik(found.bytes())),
    /// Türkiye, tax number.
    TrVkn = "tr_vkn" => |found| keep(found, eastern_europe::tr_vkn(found.bytes())),
    /// Ukraine, registration number of tax payers.
    UaRntrc = "ua_rntrc" => |found| keep(found, eastern_europe::ua_rntrc(found.bytes())),
    /// Moldova, state identification number.
    MdIdno = "md_idno" => |found| keep(found, eastern_europe::md_idno(found.bytes())),
    /// Russia, tax number.
    RuInn = "ru_inn" => |found| keep(found, eastern_europe::ru_inn(found.bytes())),
    /// Russia, insurance number of persons.
    RuSnils = "ru_snils" => |found| keep(found, eastern_europe::ru_snils(found.bytes())),
    /// United Kingdom, national insurance number.
    UkNino = "uk_nino" => |found| keep(found, british_isles::uk_nino(found.bytes())),
    /// United Kingdom, driving licence.
    UkDrivingLicence = "uk_driving_licence" => |found| keep(found, british_isles::uk_driving_licence(found.bytes())),
    /// United Kingdom, taxpayer reference.
    UkUtr = "uk_utr" => |found| keep(found, british_isles::uk_utr(found.bytes())),
    /// United Kingdom, VAT number.
    UkVat = "uk_vat" => |found| keep(found, british_isles::uk_vat(found.bytes())),
    /// United Kingdom, NHS number.
    UkNhs = "uk_nhs" => |found| keep(found, british_isles::uk_nhs(found.bytes())),
    /// Ireland, personal public service number.
    IePps = "ie_pps" => |found| keep(found, british_isles::ie_pps(found.bytes())),
    /// United States, individual taxpayer identification number.
    UsItin = "us_itin" => |found| keep(found, americas::us_itin(found.bytes())),
    /// United States, employer identification number.
    UsEin = "us_ein" => |found| keep(found, americas::us_ein(found.bytes())),
    /// United States, bank routing number.
    UsAbaRouting = "us_aba_routing" => |found| keep(found, americas::us_aba_routing(found.bytes())),
    /// Canada, social insurance number.
    CaSin = "ca_sin" => |found| keep(found, americas::ca_sin(found.bytes())),
    /// Canada, business number.
    CaBn = "ca_bn" => |found| keep(found, americas::ca_bn(found.bytes())),
    /// Brazil, persons.
    BrCpf = "br_cpf" => |found| keep(found, americas::br_cpf(found.bytes())),
    /// Brazil, companies.
    BrCnpj = "br_cnpj" => |found| keep(found, americas::br_cnpj(found.bytes())),
    /// Argentina, tax number.
    ArCuit = "ar_cuit" => |found| keep(found, americas::ar_cuit(found.bytes())),
    /// Chile, persons and companies.
    ClRut = "cl_rut" => |found| keep(found, americas::cl_rut(found.bytes())),
    /// Colombia, tax number.
    CoNit = "co_nit" => |found| keep(found, americas::co_nit(found.bytes())),
    /// Mexico, population register.
    MxCurp = "mx_curp" => |found| keep(found, americas::mx_curp(found.bytes())),
    /// Mexico, tax number of persons.
    MxRfc = "mx_rfc" => |found| keep(found, americas::mx_rfc(found.bytes())),
    /// Peru, tax number.
    PeRuc = "pe_ruc" => |found| keep(found, americas::pe_ruc(found.bytes())),
    /// Ecuador, identity card.
    EcCi = "ec_ci" => |found| keep(found, americas::ec_ci(found.bytes())),
    /// Venezuela, tax number.
    VeRif = "ve_rif" => |found| keep(found, americas::ve_rif(found.bytes())),
    /// Dominican Republic, identity card.
    DoCedula = "do_cedula" => |found| keep(found, americas::do_cedula(found.bytes())),
    /// Uruguay, tax number.
    UyRut = "uy_rut" => |found| keep(found, americas::uy_rut(found.bytes())),
    /// India, Aadhaar.
    InAadhaar = "in_aadhaar" => |found| keep(found, asia::in_aadhaar(found.bytes())),
    /// India, permanent account number.
    InPan = "in_pan" => |found| keep(found, asia::in_pan(found.bytes())),
    /// India, goods and services tax.
    InGstin = "in_gstin" => |found| keep(found, asia::in_gstin(found.bytes())),
    /// India, voter card.
    InVoterId = "in_voter_id" => |found| keep(found, asia::in_voter_id(found.bytes())),
    /// China, resident identity number.
    CnResidentId = "cn_resident_id" => |found| keep(found, asia::cn_resident_id(found.bytes())),
    /// China, unified social credit code of companies.
    CnUscc = "cn_uscc" => |found| keep(found, asia::cn_uscc(found.bytes())),
    /// Korea, resident registration number.
    KrRrn = "kr_rrn" => |found| keep(found, asia::kr_rrn(found.bytes())),
    /// Korea, resident registration number that need not have a check digit.
    KrRrnUnchecked = "kr_rrn_unchecked" => |found| keep(found, asia::kr_rrn_unchecked(found.bytes())),
    /// Korea, business registration number.
    KrBrn = "kr_brn" => |found| keep(found, asia::kr_brn(found.bytes())),
    /// Japan, individual number.
    JpMyNumber = "jp_my_number" => |found| keep(found, asia::jp_my_number(found.bytes())),
    /// Japan, corporate number.
    JpCorporateNumber = "jp_corporate_number" => |found| keep(found, asia::jp_corporate_number(found.bytes())),
    /// Taiwan, identity card.
    TwId = "tw_id" => |found| keep(found, asia::tw_id(found.bytes())),
    /// Hong Kong, identity card.
    HkId = "hk_id" => |found| keep(found, asia::hk_id(found.bytes())),
    /// Singapore, identity card.
    SgNric = "sg_nric" => |found| keep(found, asia::sg_nric(found.bytes())),
    /// Singapore, entity number of businesses.
    SgUen = "sg_uen" => |found| keep(found, asia::sg_uen(found.bytes())),
    /// Malaysia, identity card.
    MyNric = "my_nric" => |found| keep(found, asia::my_nric(found.bytes())),
    /// Thailand, identity card.
    ThId = "th_id" => |found| keep(found, asia::th_id(found.bytes())),
    /// Indonesia, resident number.
    IdNik = "id_nik" => |found| keep(found, asia::id_nik(found.bytes())),
    /// Indonesia, tax number of 15 digits.
    IdNpwp = "id_npwp" => |found| keep(found, asia::id_npwp(found.bytes())),
    /// Pakistan, identity card.
    PkCnic = "pk_cnic" => |found| keep(found, asia::pk_cnic(found.bytes())),
    /// Vietnam, tax number.
    VnTax = "vn_tax" => |found| keep(found, asia::vn_tax(found.bytes())),
    /// Israel, identity number.
    IlId = "il_id" => |found| keep(found, asia::il_id(found.bytes())),
    /// Taiwan, business number.
    TwUbn = "tw_ubn" => |found| keep(found, asia::tw_ubn(found.bytes())),
    /// South Africa, identity number.
    ZaId = "za_id" => |found| keep(found, africa_oceania::za_id(found.bytes())),
    /// South Africa, tax number.
    ZaTax = "za_tax" => |found| keep(found, africa_oceania::za_tax(found.bytes())),
    /// Mauritius, identity number.
    MuNid = "mu_nid" => |found| keep(found, africa_oceania::mu_nid(found.bytes())),
    /// Morocco, enterprise number.
    MaIce = "ma_ice" => |found| keep(found, africa_oceania::ma_ice(found.bytes())),
    /// Australia, tax file number.
    AuTfn = "au_tfn" => |found| keep(found, africa_oceania::au_tfn(found.bytes())),
    /// Australia, business number.
    AuAbn = "au_abn" => |found| keep(found, africa_oceania::au_abn(found.bytes())),
    /// Australia, company number.
    AuAcn = "au_acn" => |found| keep(found, africa_oceania::au_acn(found.bytes())),
    /// Australia, Medicare card.
    AuMedicare = "au_medicare" => |found| keep(found, africa_oceania::au_medicare(found.bytes())),
    /// New Zealand, tax number.
    NzIrd = "nz_ird" => |found| keep(found, africa_oceania::nz_ird(found.bytes())),
    /// United States, national provider identifier.
    UsNpi = "us_npi" => |found| keep(found, health::us_npi(found.bytes())),
    /// United States, Medicare beneficiary.
    UsMbi = "us_mbi" => |found| keep(found, health::us_mbi(found.bytes())),
    /// United States, registration with the Drug Enforcement Administration.
    UsDea = "us_dea" => |found| keep(found, health::us_dea(found.bytes())),
    /// British Columbia, personal health number.
    CaBcPhn = "ca_bc_phn" => |found| keep(found, health::ca_bc_phn(found.bytes())),
    /// Bitcoin address in base 58.
    BitcoinBase58 = "bitcoin_base58" => |found| keep(found, bitcoin::is_base58(found.bytes())),
    /// Bitcoin address of segregated witness.
    BitcoinSegwit = "bitcoin_segwit" => |found| keep(found, bitcoin::is_segwit(found.bytes())),
    /// Ethereum address.
    Ethereum = "ethereum" => |found| keep(found, ethereum::is_valid(found.bytes())),
    /// Machine readable zone of a travel document.
    Mrz = "mrz" => |found| keep(found, mrz::is_valid(found.bytes())),
    /// Business identifier code of a bank.
    Bic = "bic" => |found| keep(found, bic::is_valid(found.bytes())),
    /// Magnetic stripe of a card.
    MagneticTrack = "magnetic_track" => |found| keep(found, track::is_valid(found.bytes())),
}

impl Validator {
    /// The validator's name as declarations write it.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, validator)| *validator == self).map_or("none", |(name, _)| name)
    }

    /// Bytes that the check reads of the match, and before it, at most.
    pub(super) fn bytes_read(self, found: &Match<'_>) -> usize {
        match self {
            Self::None => 0,
            Self::Password => password::VALUE_BYTES_MAX,
            Self::CurlPassword => password::bytes_of_command(found),
            _ => found.end - found.start,
        }
    }

    /// Whether a finding may end elsewhere than its match.
    pub(super) fn moves_end(self) -> bool {
        matches!(self, Self::PrivateKey | Self::Password)
    }

    /// Whether it may accept a match that ends before `end` of `field`: a look that spares most matches of a pattern
    /// that ends anywhere.
    #[inline]
    pub(super) fn may_end(self, field: &[u8], end: usize) -> bool {
        match self {
            Self::Email => email::may_end(field, end),
            Self::UrlPassword => password::may_end_in_url(field, end),
            Self::CurlPassword => password::may_end(field, end),
            _ => true,
        }
    }
}

fn keep(found: Match<'_>, is_valid: bool) -> Option<usize> {
    is_valid.then_some(found.end)
}
