/// How the page looks: by the reader's preference light or dark on a screen, and light on paper.
///
/// Every text has a contrast of 4.5 to 1 or more with what is behind it (WCAG 2, AA).
enum StyleSheet {
    static let text = """

        :root{
        --page:#fff;--text:#1a1a1a;--quiet:#4f555c;--line:#c4c9cf;--soft:#f4f5f7;--link:#0b4f9e;
        --good:#0d5c2e;--caution:#7a4300;--bad:#a3121f
        }
        @media screen and (prefers-color-scheme:dark){:root{
        --page:#15181c;--text:#ededed;--quiet:#b3bac2;--line:#434a52;--soft:#20252b;--link:#8cbcf2;
        --good:#7ed6a2;--caution:#f2c07a;--bad:#ff9d97
        }}
        *{box-sizing:border-box}
        html{background:var(--page);color:var(--text)}
        body{font:16px/1.5 Arial,"Liberation Sans",Helvetica,"DejaVu Sans",sans-serif;margin:0 auto;
        padding:1rem;max-width:75rem;overflow-wrap:anywhere}
        h1{font-size:1.7rem;line-height:1.25;margin:.5rem 0}
        h2{font-size:1.35rem;line-height:1.3;margin:2.5rem 0 .75rem;border-bottom:2px solid var(--line)}
        h3{font-size:1.1rem;margin:1.75rem 0 .5rem}
        a{color:var(--link)}
        a:focus-visible,pre:focus-visible{outline:3px solid var(--link);outline-offset:2px}
        .skip{position:absolute;left:-999px}
        .skip:focus{position:static}
        nav ol{margin:0;padding-left:1.6rem}
        nav>ol{columns:2 20rem;column-gap:2rem}
        dl{margin:.5rem 0}
        dl>div{display:grid;grid-template-columns:minmax(6rem,12rem) minmax(0,1fr);gap:.25rem 1rem;
        padding:.2rem 0;border-bottom:1px solid var(--line)}
        dt{font-weight:bold}
        dd{margin:0}
        ul.columns{columns:3 18rem;column-gap:2rem;padding-left:1.2rem;margin:.5rem 0}
        ul.columns li{break-inside:avoid}
        code{font-family:"DejaVu Sans Mono","Liberation Mono",Menlo,Consolas,monospace;font-size:.85em}
        pre{background:var(--soft);border:1px solid var(--line);padding:.75rem;margin:.75rem 0;
        white-space:pre-wrap;overflow-wrap:anywhere}
        table{border-collapse:collapse;width:100%;margin:.75rem 0 1.5rem;font-size:.875rem;line-height:1.4}
        caption{text-align:left;font-weight:bold;padding:.25rem 0;color:var(--quiet)}
        th,td{text-align:left;vertical-align:top;overflow-wrap:break-word;padding:.35rem .5rem;border-top:1px solid var(--line)}
        thead th{background:var(--soft);border-bottom:2px solid var(--line)}
        tbody th{font-weight:normal}
        tr.rules td{border-top:0;padding:0 .5rem .5rem 1.5rem;color:var(--quiet)}
        tr.rules code{display:block}
        .good{color:var(--good);font-weight:bold}
        .caution{color:var(--caution);font-weight:bold}
        .bad{color:var(--bad);font-weight:bold}
        .quiet{color:var(--quiet)}
        p.alert{border:2px solid;padding:.6rem .8rem}
        figure{margin:1.5rem 0;border-bottom:1px solid var(--line)}
        svg.pfw-diagram{display:block;width:100%;max-width:60rem;height:auto}
        @media screen and (max-width:48rem){
        table,caption,tbody,tr,th,td{display:block;width:auto}
        colgroup{display:none}
        thead{position:absolute;left:-999px}
        tbody{border-top:2px solid var(--line);padding:.3rem 0}
        th,td{border:0;padding:.15rem 0}
        tr.rules td{padding:.3rem 0 .3rem .8rem}
        [data-label]::before{content:attr(data-label) ": ";font-weight:bold}
        dl>div{grid-template-columns:minmax(0,1fr)}
        figure{overflow:hidden}
        }
        @media print{
        @page{margin:12mm 10mm}
        body{font-size:10pt;padding:0;max-width:none}
        h2,h3,caption{break-after:avoid}
        table{font-size:8pt}
        tbody,dl>div,pre,p{break-inside:avoid}
        thead{display:table-header-group}
        th,td{padding:.2rem .35rem}
        a{color:inherit;text-decoration:none}
        .skip{display:none}
        figure{break-inside:avoid;margin:0;border:0}
        figure+figure,section:has(figure){break-before:page}
        svg.pfw-diagram{max-width:none;max-height:235mm}
        }

        """
}
