from dayrate import quote


def test_full_load_is_an_assumption_unless_said() -> None:
    line = quote(cpus=2).ledger["server.utilisation"]
    assert (line.value, line.grade.label) == (1.0, "assumed")
    said = quote(cpus=2, server_utilisation=1.0).ledger["server.utilisation"]
    assert said.grade.label == "given"


def test_the_accelerator_is_named_in_full() -> None:
    day = quote(server_accelerator="h100", server_accelerators=8)
    assert day.deployment.accelerator == "h100-sxm-80gb"
