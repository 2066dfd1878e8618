"""What Word, Excel, Google Docs and a web page put on the clipboard, as the editor's tests paste it."""

from __future__ import annotations

WORD = """<html xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office"
xmlns:w="urn:schemas-microsoft-com:office:word"><head><meta name=Generator content="Microsoft Word 15">
<!--[if gte mso 9]><xml><w:WordDocument><w:View>Normal</w:View></w:WordDocument></xml><![endif]-->
<style><!-- p.MsoNormal {mso-style-parent:""; margin:0cm; font-size:11.0pt; font-family:"Calibri",sans-serif;}
.MsoChpDefault {mso-default-props:yes;} @page WordSection1 {size:595.3pt 841.9pt;} --></style></head>
<body lang=DE style='tab-interval:35.4pt'><!--StartFragment-->
<p class=MsoNormal><b style='mso-bidi-font-weight:normal'><span lang=EN-US style='mso-ansi-language:EN-US'>Pilot<o:p></o:p></span></b></p>
<p class=MsoListParagraphCxSpFirst style='text-indent:-18.0pt;mso-list:l0 level1 lfo1'><![if !supportLists]><span
style='font-family:Symbol;mso-fareast-font-family:Symbol'><span style='mso-list:Ignore'>·<span style='font:7.0pt "Times New Roman"'>&nbsp;&nbsp;&nbsp;&nbsp; </span></span></span><![endif]>First probe<o:p></o:p></p>
<p class=MsoListParagraphCxSpMiddle style='margin-left:72.0pt;text-indent:-18.0pt;mso-list:l0 level2 lfo1'><![if !supportLists]><span
style='font-family:"Courier New"'><span style='mso-list:Ignore'>o<span style='font:7.0pt "Times New Roman"'>&nbsp;&nbsp; </span></span></span><![endif]>Nested<o:p></o:p></p>
<p class=MsoListParagraphCxSpLast style='text-indent:-18.0pt;mso-list:l0 level1 lfo1'><![if !supportLists]><span
style='font-family:Symbol'><span style='mso-list:Ignore'>·<span style='font:7.0pt "Times New Roman"'>&nbsp;&nbsp;&nbsp; </span></span></span><![endif]>Second probe<o:p></o:p></p>
<table class=MsoTableGrid border=1 cellspacing=0 cellpadding=0 style='border-collapse:collapse;mso-border-alt:solid windowtext .5pt;mso-yfti-tbllook:1184'>
<tr style='mso-yfti-irow:0;mso-yfti-firstrow:yes'><td width=302 valign=top style='width:226.55pt;border:solid windowtext 1.0pt;mso-border-alt:solid windowtext .5pt;background:#D9E2F3;padding:0cm 5.4pt 0cm 5.4pt'><p class=MsoNormal>Probe<o:p></o:p></p></td>
<td width=302 style='width:226.55pt'><p class=MsoNormal align=right style='text-align:right'>Price<o:p></o:p></p></td></tr>
<tr><td><p class=MsoNormal>Büsum<o:p></o:p></p></td><td><p class=MsoNormal>27.000 €<o:p></o:p></p></td></tr></table>
<script>window.pasted = 1</script><img width=10 height=10 src="file:///C:/Users/lena/AppData/Local/Temp/msohtmlclip1/01/clip_image001.png" v:shapes="_x0000_i1025">
<!--EndFragment--></body></html>"""
EXCEL = """<html xmlns:x="urn:schemas-microsoft-com:office:excel"><head><meta name=ProgId content=Excel.Sheet><style><!--
table {mso-displayed-decimal-separator:"\\,";} td {padding-top:1px; mso-ignore:padding; color:black; font-size:11.0pt;}
.xl65 {font-weight:700; background:#FFFF00; mso-pattern:black none; text-align:center;} .xl66 {mso-number-format:"0\\.00"; text-align:right;}
--></style></head><body link="#0563C1"><table border=0 cellpadding=0 cellspacing=0 width=140 style='border-collapse:collapse;width:105pt'>
<!--StartFragment--><col width=70 span=2 style='width:52pt'><tr height=20 style='height:15.0pt'><td height=20 class=xl65 width=70>Quarter</td>
<td class=xl65 width=70>Sum</td></tr><tr height=20><td height=20>Q1</td><td class=xl66 align=right>1250,50</td></tr><!--EndFragment--></table></body></html>"""
GOOGLE = """<meta charset='utf-8'><b style="font-weight:normal;" id="docs-internal-guid-1a2b3c4d-7fff"><p dir="ltr" style="line-height:1.38;margin-top:0pt;margin-bottom:0pt;"><span style="font-size:11pt;font-family:Arial,sans-serif;color:#000000;background-color:transparent;font-weight:700;font-style:normal;text-decoration:none;vertical-align:baseline;white-space:pre-wrap;">Bold words</span><span style="font-size:11pt;font-weight:400;font-style:italic;color:#ff0000;"> and red</span></p>
<ul style="margin-top:0;margin-bottom:0;"><li dir="ltr" style="list-style-type:disc;font-size:11pt;" aria-level="1"><p dir="ltr" role="presentation"><span style="font-weight:400;">One</span></p></li><ul><li dir="ltr" aria-level="2"><p dir="ltr" role="presentation"><span>Under one</span></p></li></ul></ul>
<p><a href="https://www.google.com/url?q=https://tidewater.example/probe&amp;sa=D" style="text-decoration:none;"><span style="color:#1155cc;text-decoration:underline;">Probe</span></a></p></b><br class="Apple-interchange-newline">"""
WEB = """<div class="article__body" id="main" onclick="alert(1)" data-x="1"><style>.a{color:red}</style><h1 class="t">Tides</h1><p class="lead" style="font-family:Georgia;margin:40px;position:fixed">Text with <a href="javascript:alert(1)">bad</a> and <a href="https://tidewater.example/a" onmouseover="x()">good</a> links.</p><script>alert(2)</script><iframe src="https://x.example"></iframe><img src="https://img.example/1.gif" width="1" height="1"><form><input value="a"><button>Buy</button></form><span style="display:none">hidden words</span><svg onload="alert(3)"><a href="#">x</a></svg></div>"""
