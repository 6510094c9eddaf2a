"""How many decimals a currency has: ISO 4217, list one, and the codes withdrawn since 2013 that old orders bear."""

from crossdock.model.base import ImpossibleError, shown

_EXPONENTS: dict[int, str] = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: (
        "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF "
        "CHE CHF CHW CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ "
        "GYD HKD HNL HRK HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL LTL LVL MAD MDL "
        "MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR "
        "RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD "
        "TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG ZWL"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}

EXPONENTS: dict[str, int] = {code: digits for digits, codes in _EXPONENTS.items() for code in codes.split()}
"""Decimals of each currency code: 100 = 10**2 minor units make one EUR."""


def exponent(currency: str, *, field: str = "currency") -> int:
    """Return the number of decimals of a currency, 0 to 4. An unknown code is an ImpossibleError that names it."""
    digits = EXPONENTS.get(currency)
    if digits is None:
        remedy = "correct it at the source, or map it to a code of three capital letters"
        raise ImpossibleError(
            f"{field}: {shown(currency, word=True)} is no ISO 4217 currency; {remedy}", field=field
        )
    return digits
