from __future__ import annotations

import pytest

from functions.contract.file_names import MAX_NAME_BYTES, safe_file_name


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("lunch.png", "lunch.png"),
        ("2026/11/invoice 2026-0117 (copy).pdf", "invoice 2026-0117 (copy).pdf"),
        ("Bäckerei Süß.webp", "Bäckerei Süß.webp"),
        ("taxi 領収書.heic", "taxi 領収書.heic"),
        ("U\u0308ber.pdf", "Über.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\lunch.png", "lunch.png"),
        ("a/..", "receipt"),
        ("folder/", "receipt"),
        (".bashrc", "bashrc"),
        ("-rf.png", "_-rf.png"),
        ("trail. ", "trail"),
        ('a<b>c:d"e|f?g*h', "a_b_c_d_e_f_g_h"),
        ("gnp\u202e.exe", "gnp_.exe"),
        ("a\x00b\nc\u2028d\x1b[2J", "a_b_c_d_[2J"),
        ("NUL", "_NUL"),
        ("con.png", "_con.png"),
        ("COM¹.pdf", "_COM¹.pdf"),
        ("lpt1 .pdf", "_lpt1 .pdf"),
        ("console.png", "console.png"),
        ("COM10.pdf", "COM10.pdf"),
    ],
)
def test_last_part_of_a_key_is_made_a_name(key: str, name: str) -> None:
    assert safe_file_name(key) == name


def test_long_name_keeps_its_extension() -> None:
    name = safe_file_name("領" * 300 + ".pdf")

    assert name.endswith("領.pdf")
    assert MAX_NAME_BYTES - 3 < len(name.encode()) <= MAX_NAME_BYTES
