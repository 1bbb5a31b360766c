"""Adds up ctest's JUnit files: failed and skipped tests by name, then
'N passed, M failed, K skipped'. The cases inside a cmocka program are counted one by one.

usage: summary.py BUILDS_FAILED FILE.xml...
"""
import os
import re
import sys
import xml.etree.ElementTree as ET

CMOCKA = re.compile(r"^\[\s*(OK|FAILED|SKIPPED)\s*\] ?(\S+)?$", re.M)


def cmocka(text):
    """Names of the cases that passed, failed and were skipped, and the reasons of the latter. A case
    says 'SKIPPED, reason' before cmocka names it; long names are cut ('...') and repeated whole."""
    found = {"OK": set(), "FAILED": set(), "SKIPPED": set()}
    reasons, said = {}, None
    for line in text.splitlines():
        m = CMOCKA.match(line)
        if m and m.group(2) and not m.group(2).isdigit():
            name = m.group(2)
            found[m.group(1)].add(name)
            if m.group(1) == "SKIPPED" and said:
                reasons[name], said = said, None
        elif line.startswith("SKIPPED"):
            said = line.removeprefix("SKIPPED").lstrip(", ")
    for kind, names in found.items():
        for cut in [n for n in names if n.endswith("...")]:
            whole = [n for n in names if n != cut and n.startswith(cut[:-3])]
            if whole:
                names.remove(cut)
                reasons.setdefault(whole[0], reasons.get(cut, "no reason given"))
    skips = found["SKIPPED"]
    fails = found["FAILED"]
    return found["OK"] - skips - fails, fails, skips, reasons


def main():
    passed, failed, skipped = 0, int(sys.argv[1]), 0
    for path in sys.argv[2:]:
        if not os.path.exists(path):  # a pattern of the shell that matched nothing
            continue
        suite = path.rsplit("/", 1)[-1].removesuffix(".xml")
        for case in ET.parse(path).getroot().iter("testcase"):
            name = f"{suite}: {case.get('name')}"
            text = case.findtext("system-out") or ""
            status = case.get("status")
            oks, fails, skips, reason_of = cmocka(text)
            mark = case.find("skipped")
            if status == "notrun" and mark is not None and "RETURN_CODE" in mark.get("message", ""):
                skipped += 1
                reason = text.strip().splitlines()
                print(f"SKIPPED {name}: {reason[-1] if reason else 'no reason given'}")
                continue
            if status not in ("run", "fail"):  # not built, disabled: nobody said that it may be left out
                failed += 1
                print(f"FAILED {name}: did not run ({status}): {text.strip()}")
                continue
            for s in sorted(skips):
                print(f"SKIPPED {name}/{s}: {reason_of.get(s, 'no reason given')}")
            passed += len(oks)
            skipped += len(skips)
            if status == "fail" or fails:
                failed += max(1, len(fails))
                print(f"FAILED {name} {' '.join(sorted(fails))}")
                print("\n".join("    " + line for line in text.strip().splitlines()[-40:]))
            elif not oks and not skips:
                passed += 1
    if passed + failed == 0:
        failed += 1
        print("FAILED no test ran")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


sys.exit(main())
