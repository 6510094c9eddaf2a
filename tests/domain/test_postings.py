"""Facts and documents, both ways."""

from datetime import date

from crossdock.domain.postings import postings_of
from tests.flows.stores import StoreHub, line, store_plan, ticket, z_report, z_till


def posted(hub, number):
    day = hub.process(hub.day_subject())
    return postings_of(hub.process(hub.subject("ticket", f"berlin/T1/{number}")), day)


def test_a_days_document_names_its_tickets_and_they_name_it():
    hub = StoreHub()
    hub.post("ticket", ticket(1))
    hub.post("ticket", ticket(2, line(), line("SKU-2", -1, 400), kind="mixed"))
    hub.post("day.closed", z_report(z_till(last=2, cash=1600)))
    hub.settle("create_credit", reference="C1", total=-400)
    hub.settle("post_day", reference="Z1", total=2001)
    (summed,) = postings_of(hub.process(hub.day_subject()))
    assert [fact.id for fact in summed.facts] == ["berlin/2026-03-28", "berlin/T1/1", "berlin/T1/2"]
    assert (summed.document, summed.total, summed.erp_total, summed.state) == ("Z1", 2000, 2001, "posted")
    assert posted(hub, 1) == (summed,)
    credit, both = posted(hub, 2)
    assert (credit.kind, credit.document, credit.total, credit.connection) == (
        "credit_note",
        "C1",
        -400,
        "erp",
    )
    assert both == summed


def test_a_late_ticket_is_in_the_supplement_alone():
    hub = StoreHub()
    hub.post("ticket", ticket(1))
    hub.post("day.closed", z_report(z_till(cash=1000)))
    hub.settle("post_day", reference="Z1", total=1000)
    hub.post("ticket", ticket(2))
    assert posted(hub, 2) == ()
    hub.advance(60_000_000)
    (supplement,) = posted(hub, 2)
    assert (supplement.batch_sequence, supplement.state) == (1, "planned")
    assert [posting.batch_sequence for posting in posted(hub, 1)] == [0]


def test_a_ticket_by_itself_has_a_sale_of_its_own():
    hub = StoreHub(store_plan(post="each"))
    hub.post("ticket", ticket(1))
    hub.settle("create_sale", reference="S1", total=1000)
    sale, invoice = posted(hub, 1)
    assert (sale.kind, sale.document, sale.total, sale.erp_total) == ("sale", "S1", 1000, 1000)
    assert sale.business_date == invoice.business_date == date(2026, 3, 28)
    assert (invoice.kind, invoice.state, invoice.facts[0]) == ("invoice", "planned", sale.facts[0])


def test_a_ticket_by_itself_whose_invoice_comes_to_something_else_is_a_case():
    hub = StoreHub(store_plan(post="each"))
    for number, total in ((1, 1000), (2, 1)):
        hub.post("ticket", ticket(number, line(price=1000), line(quantity=-1, price=400)))
        hub.settle("create_sale", reference=f"S{number}", total=1000)
        hub.settle("create_invoice", reference=f"I{number}", total=total)
    subjects = [hub.subject("ticket", f"berlin/T1/{number}") for number in (1, 2)]
    differ = [subject for subject in subjects if "invoice.total_differs" in hub.reasons(subject)]
    assert differ == subjects[1:]
