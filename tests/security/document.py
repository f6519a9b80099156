"""Write docs/security.md from the tests: ``python -m tests.security.document``.

A test anywhere in tests/ says with a marker what it proves:

    @pytest.mark.claim("a cursor that was edited is refused", section="Hostile input")
    def test_edited_cursor_is_a_400() -> None: ...

The text goes on from "It is true that"; tests with the same text share a row. `section` is one of `SECTIONS`.
A control (section "Controls") also has `control`, its ids, and `requires`. All of them are string literals,
since the tests are read and not run. `test_document.py` checks that the document is up to date.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
TESTS = REPOSITORY / "tests"
DOCUMENT = REPOSITORY / "docs" / "security.md"
RESIDUAL_RISKS = TESTS / "security" / "residual_risks.md"
"""What the tests don't prove, because it remains possible. It ends the document."""

TITLE = """\
# Security

A test proves each claim on this page and fails when the claim stops being true. The claims are written in
those tests, and `make docs` collects them here.
"""

CONTROLS = "Controls"
SECTIONS = {
    CONTROLS: """\
The controls come from AWS Foundational Security Best Practices (S3.5 and so on) and from the `AwsSolutions`
and `Serverless` packs of cdk-nag (NAG …). Each is a rule about everything that the program registers with
Pulumi: with the settings of every stack, with a customer key and Object Lock, with tokens, and with every
component twice. To show that each rule can fail, a test breaks it on one resource after another
([`test_rules_can_fail.py`](../tests/components/controls/test_rules_can_fail.py)).

The embedded AWS enforces IAM, bucket policies and Object Lock, but doesn't ask KMS before it encrypts or
decrypts. So only the rules below check the key's policy and what roles may do with the key.""",
    "Least privilege": """\
The embedded AWS enforces IAM and runs each function under its own role. The test finds every grant (one
action on one resource) in the deployed policies, takes it away, and sees what fails.

The embedded AWS doesn't ask IAM about what Lambda, CloudWatch Logs, X-Ray and KMS do for a role (`sqs:*`,
`logs:*`, `xray:*`, `kms:*`), and without `s3:ListBucket` and `s3:ListBucketVersions` it still answers 404 for
missing objects. For these, the test compares the grant with the function's own queue, log group, tracing and
key.""",
    "Only what is true enters the ledger": """\
Only S3 can send to the queue whose messages the processor believes. Operators send through the resend queue,
from whose messages the processor takes nothing but the name of an object version
([decision 1](decisions/0001-one-entry-per-object-version.md)).""",
    "Access to the API": """\
[`openapi.json`](openapi.json) has the routes. [`caller-policy.json`](caller-policy.json) is what a caller
needs with `apiAuth: iam`, and the output `caller_policy` is the same policy with the ARNs of a stack.

The tests get their tokens from an issuer on this machine, with discovery and keys (JWKS) over HTTP. API
Gateway caches an issuer's keys for up to two hours, and so does the embedded AWS, so a withdrawn key stays
valid that long.

The embedded AWS checks every token as RS256, whatever the token's header says, so this page claims nothing
about other algorithms.""",
    "Hostile input": """\
Nothing from outside causes an unhandled exception, a wrong entry, or unlimited use of memory or CPU.""",
    "The console": """\
`bill-e console` serves a page on the machine of the person who runs it, and signs what the page asks for with
their credentials or token ([the console](console.md)).""",
    "Supply chain": """\
What gets into a function, and what a function reveals.""",
}

NOT_APPLICABLE = {
    "S3.1 (account-level public access block)": "belongs to the account; every bucket has its own",
    "WAF and X-Ray on the API": "HTTP APIs support neither; stages are throttled, and functions are traced",
    "APIGateway.1 to APIGateway.5": "they are for REST and WebSocket APIs",
    "DynamoDB.3, DynamoDB.7, NAG DDB4 (DAX)": "there is no DAX cluster",
    "Lambda.3, Lambda.5 (VPC)": "there is no VPC: the functions only talk to AWS, over TLS",
    "S3.19, S3.24 (access points)": "there are no access points",
    "account-wide controls (CloudTrail, Config, GuardDuty, IAM and root users)": "belong to the account",
}


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What the emulator takes, what AWS does about it, and the tests of the check we add and of our rule."""

    emulator: str
    aws: str
    check: str
    rule: str


DIFFERENCES_TITLE = """\
## Where ministack differs from AWS

Ministack, the emulator of the embedded AWS, takes some requests that AWS refuses. `local/emulator` adds the
checks that it lacks, and a test of each makes such a request. The rules need no emulator: they are about what
the program registers with Pulumi, or about what a function signs.
"""
DIFFERENCES = (
    Difference(
        emulator="an upload under its uploader's own key (SSE-C), whatever the bucket's policy says",
        aws="evaluates the condition `s3:x-amz-server-side-encryption-customer-algorithm` (Service "
        'Authorization Reference, "Condition keys for Amazon S3")',
        check="test_what_nobody_could_read_is_refused",
        rule="test_whatever_is_uploaded_can_be_read",
    ),
    Difference(
        emulator="an upload with tags from callers who may not tag",
        aws='asks for `s3:PutObjectTagging`, too (Amazon S3 API Reference, "PutObject")',
        check="test_caller_cannot_tag_an_upload",
        rule="test_nobody_may_tag_objects",
    ),
    Difference(
        emulator="a form with other bytes of the same size",
        aws='compares their SHA-256 with the one in the form (Amazon S3 User Guide, "Checking object '
        'integrity in Amazon S3")',
        check="test_form_with_other_bytes_is_refused_by_s3",
        rule="test_form_is_signed_for_the_declared_content",
    ),
    Difference(
        emulator="an `Authorization` header that isn't a signature: its sender may do everything",
        aws='refuses the request (AWS IAM User Guide, "Troubleshoot Signature Version 4 signing for AWS API '
        'requests")',
        check="test_what_is_no_signature_is_refused",
        rule="test_apigateway_8_nag_apig4_every_route_is_authorized",
    ),
    Difference(
        emulator="a key of more than 1,024 bytes",
        aws='refuses the upload (Amazon S3 User Guide, "Naming Amazon S3 objects")',
        check="test_key_that_is_too_long_is_refused_by_s3",
        rule="test_a_form_is_for_a_harmless_key_under_the_prefix_whatever_the_file_is_called",
    ),
    Difference(
        emulator="nothing: it has no redrive, and the one that `local/emulator` adds comes with the check",
        aws="asks for `sqs:SendMessage` on the queue that the messages move to, whose policy counts as well "
        '(Amazon SQS Developer Guide, "Configure a dead-letter queue redrive")',
        check="test_dead_letters_only_move_to_the_resend_queue",
        rule="test_sqs_3_not_public",
    ),
    Difference(
        emulator="a filter by attributes that its caller may not read",
        aws='counts them among `dynamodb:Attributes` (Amazon DynamoDB Developer Guide, "Using IAM policy '
        'conditions for fine-grained access control")',
        check="test_an_operator_cannot_filter_by_uploader",
        rule="test_operator_sees_versions_and_entries_without_uploaders_and_moves_messages_and_no_more",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What one test proves. `path` is relative to the repository; `control` and `requires` may be empty."""

    text: str
    test: str
    path: str
    section: str = CONTROLS
    control: str = ""
    requires: str = ""


class UnreadableClaimError(Exception):
    """A marker is wrong. Says where it is, and what is wrong with it."""


def read_claims(tests: Path = TESTS) -> list[Claim]:
    """Return the claims of all tests, in the order of files and lines, or raise UnreadableClaimError."""
    return [claim for path in sorted(tests.rglob("test_*.py")) for claim in _claims_of(path, tests.parent)]


def render(claims: Sequence[Claim]) -> str:
    """Write the document: a table for each section that has claims, in the order of `SECTIONS`."""
    parts = [TITLE]
    for section, introduction in SECTIONS.items():
        own = [claim for claim in claims if claim.section == section]
        if own:
            parts.append(f"## {section}\n\n{introduction}\n")
            parts.append(_controls_table(own) if section == CONTROLS else _table(own))
    rows = _differences(claims)
    if rows:
        parts += [DIFFERENCES_TITLE, _rows(("ministack takes", "AWS", "our check", "our rule"), rows)]
    parts.append(RESIDUAL_RISKS.read_text(encoding="utf-8"))
    return "\n".join(parts)


def _controls_table(claims: Sequence[Claim]) -> str:
    rows = [(claim.control, claim.requires, claim.text, tests) for claim, tests in _with_tests(claims)]
    return "\n".join(
        [
            _rows(("control", "requires", "how it is met", "test"), rows),
            "What doesn't apply:\n",
            _rows(("control", "why not"), list(NOT_APPLICABLE.items())),
        ]
    )


def _table(claims: Sequence[Claim]) -> str:
    return _rows(("claim", "test"), [(claim.text, tests) for claim, tests in _with_tests(claims)])


def _differences(claims: Sequence[Claim]) -> list[tuple[str, ...]]:
    """Return those differences whose tests are among the claims."""
    links = {claim.test: _link(claim) for claim in claims}
    return [
        (each.emulator, each.aws, links[each.check], links[each.rule])
        for each in DIFFERENCES
        if {each.check, each.rule} <= set(links)
    ]


def _with_tests(claims: Sequence[Claim]) -> Iterator[tuple[Claim, str]]:
    """Group equal claims, and give each the links to its tests."""
    texts = list(dict.fromkeys((claim.control, claim.text) for claim in claims))
    ordered = sorted(claims, key=lambda claim: texts.index((claim.control, claim.text)))
    for _, same in groupby(ordered, key=lambda claim: (claim.control, claim.text)):
        group = list(same)
        yield group[0], "<br>".join(map(_link, group))


def _link(claim: Claim) -> str:
    return f"[`{claim.test}`](../{claim.path})"


def _rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _claims_of(path: Path, root: Path) -> Iterator[Claim]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith("mark.claim"):
                yield _claim(node.name, decorator, path.relative_to(root).as_posix())


def _claim(test: str, decorator: ast.Call, path: str) -> Claim:
    where = f"{path}:{decorator.lineno}: claim of {test}"
    try:
        (text,) = (ast.literal_eval(argument) for argument in decorator.args)
        details = {str(each.arg): ast.literal_eval(each.value) for each in decorator.keywords}
        claim = Claim(text=text, test=test, path=path, **details)
    except (TypeError, ValueError) as error:
        raise UnreadableClaimError(f"{where}: one plain text, and section=…: {error}") from error
    if claim.section not in SECTIONS:
        raise UnreadableClaimError(
            f"{where}: section is {claim.section!r}; allowed: {', '.join(map(repr, SECTIONS))}"
        )
    if {bool(claim.control), bool(claim.requires)} != {claim.section == CONTROLS}:
        raise UnreadableClaimError(f"{where}: control and requires go with section {CONTROLS!r}, and both")
    return claim


if __name__ == "__main__":
    DOCUMENT.write_text(render(read_claims()), encoding="utf-8")
