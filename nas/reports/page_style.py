"""How the page looks."""

from nas.reports.inline import variable
from nas.reports.panels import ARMS, FAINT, INK, PAGE, RULE

_INK, _FAINT, _RULE, _PAGE = (f"var(--{variable(colour)})" for colour in (INK, FAINT, RULE, PAGE))
_GOOD, _BAD = (f"var(--{variable(colour)})" for colour in (ARMS[2], ARMS[1]))
# A shadow at the side where a table goes on; it is covered once that end is reached.
_MORE = (
    f"linear-gradient(to right,{_PAGE} 40%,transparent) 0/48px 100% no-repeat local,"
    f"linear-gradient(to left,{_PAGE} 40%,transparent) 100%/48px 100% no-repeat local,"
    f"linear-gradient(to right,{_FAINT},transparent) 0/10px 100% no-repeat scroll,"
    f"linear-gradient(to left,{_FAINT},transparent) 100%/10px 100% no-repeat scroll"
)

CSS = f"""
*{{box-sizing:border-box}}
html{{-webkit-text-size-adjust:100%}}
body{{margin:0;background:{_PAGE};color:{_INK};font:16px/1.5 var(--font)}}
main{{max-width:1080px;margin:0 auto;padding:28px 20px 60px}}
h1{{font-size:clamp(22px,3.4vw,32px);line-height:1.25;margin:4px 0 14px;text-wrap:balance}}
h2{{font-size:20px;line-height:1.3;margin:44px 0 4px;padding-top:14px;border-top:1px solid {_RULE}}}
h3{{font-size:16px;margin:0 0 8px}}
p{{margin:0 0 10px;max-width:72ch}}
.task,.note{{color:{_FAINT};font-size:14px;overflow-wrap:anywhere}}
.plain{{font-size:17px}}
.sentences{{padding-left:20px;margin:0 0 8px;max-width:80ch}}
.sentences li{{margin-bottom:6px}}
.figures{{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,330px),1fr));gap:22px 26px;margin:16px 0}}
figure{{margin:0;break-inside:avoid;max-width:560px}}
figure svg{{display:block;width:100%;height:auto;overflow:visible}}
.scroll{{overflow-x:auto;margin:10px 0 6px;background:{_MORE}}}
table{{border-collapse:collapse;font-size:14px;font-variant-numeric:tabular-nums;min-width:60%}}
th,td{{text-align:right;padding:6px 12px 6px 0;border-bottom:1px solid {_RULE};vertical-align:top;white-space:nowrap}}
thead th{{color:{_FAINT};font-weight:600;vertical-align:bottom;white-space:normal}}
tbody th,th.first{{text-align:left;font-weight:600;padding-right:18px}}
.words td,.words th{{text-align:left;white-space:normal;overflow-wrap:anywhere}}
.words tbody th{{white-space:nowrap;overflow-wrap:normal}}
.checklist td.mark{{white-space:nowrap;font-weight:700}}
.checklist td{{padding-right:18px}}
.checklist td:last-child{{color:{_FAINT}}}
.state{{font-weight:400;font-size:13px}}
.kept .mark{{color:{_GOOD}}}
.broken .mark{{color:{_BAD}}}
.open .mark{{color:{_FAINT}}}
.winner{{margin:18px 0 34px;break-inside:avoid;display:flex;flex-wrap:wrap;gap:4px 28px;align-items:flex-start}}
.winner h3{{flex:1 0 100%}}
.winner .known{{flex:1 1 300px;min-width:0}}
.winner pre{{white-space:pre-wrap;overflow-wrap:anywhere}}
.drawing svg{{display:block;max-width:100%;height:auto}}
.drawing{{max-width:100%;margin-bottom:10px}}
dl{{display:grid;grid-template-columns:max-content 1fr;gap:2px 18px;margin:0 0 10px;font-size:14px}}
dt{{color:{_FAINT}}}
dd{{margin:0;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}}
pre{{font:13px/1.5 ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;margin:0;padding:10px 12px;
border:1px solid {_RULE};border-radius:6px;overflow-x:auto}}
details{{margin-top:40px}}
summary{{cursor:pointer;font-weight:600}}
@media (max-width:520px){{
main{{padding:18px 14px 40px}}
.drawing{{overflow-x:auto}}
.drawing svg{{max-width:none}}
dl{{grid-template-columns:1fr;gap:0}}
dd{{margin-bottom:6px}}
}}
@media screen and (max-width:640px){{
.scroll{{overflow:visible;background:none}}
table,tbody,tr,tbody th,td{{display:block;min-width:0}}
thead{{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden}}
tr{{padding:10px 0 8px;border-bottom:1px solid {_RULE}}}
tbody th,td{{border:0;padding:1px 0}}
td,.words td{{display:flex;justify-content:space-between;gap:18px;white-space:normal}}
td::before{{content:attr(data-column);color:{_FAINT};text-align:left}}
.words td{{display:block;text-align:left}}
.words tbody th{{white-space:normal}}
.checklist tr{{display:grid;grid-template-columns:auto 1fr;gap:0 10px}}
.checklist td:last-child{{grid-column:2}}
}}
@media print{{
body{{font-size:11pt}}
main{{max-width:none;padding:0}}
.figures{{grid-template-columns:1fr 1fr;gap:14px}}
h2{{margin-top:24px;break-after:avoid}}
section,tr{{break-inside:avoid}}
.note{{break-after:avoid}}
.drawing svg{{max-height:420px}}
pre{{white-space:pre-wrap;overflow-wrap:anywhere}}
.scroll{{overflow:visible;background:none}}
table{{font-size:9pt}}
th,td{{padding-right:8px}}
}}
"""
