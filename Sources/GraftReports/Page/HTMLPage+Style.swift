extension HTMLPage {
  /// Series colours keep a contrast of at least 3:1 to their background and stay apart for colour-blind readers
  /// (after Okabe and Ito, 2008); dashes and markers tell series apart without any colour.
  static let style = """
    :root {
      --paper: #ffffff; --ink: #1b1f24; --quiet: #57606a; --line: #d5dae0; --panel: #f5f7f9; --shade: #1b1f2438;
      --series-0: #0067a5; --series-1: #c04a00; --series-2: #00795b; --series-3: #a03c78; --series-4: #806000; --series-5: #3f51b5;
    }
    @media (prefers-color-scheme: dark) {
      :root {
        --paper: #14171b; --ink: #e6e9ed; --quiet: #a2abb6; --line: #363d46; --panel: #1d2127; --shade: #0009;
        --series-0: #6cb8f0; --series-1: #ff9a5c; --series-2: #4fcfa5; --series-3: #e79cc8; --series-4: #dfc25a; --series-5: #a9b4ff;
      }
    }
    * { box-sizing: border-box; }
    body {
      margin: 0 auto; max-width: 70rem; padding: 1.5rem 1rem 3rem; background: var(--paper); color: var(--ink);
      font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; -webkit-text-size-adjust: 100%;
    }
    h1 { font-size: 1.75rem; line-height: 1.2; margin: 0; overflow-wrap: anywhere; }
    h2 { font-size: 1.15rem; margin: 2.25rem 0 .75rem; padding-bottom: .3rem; border-bottom: 1px solid var(--line); }
    h3 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
    header p { color: var(--quiet); margin: .35rem 0 0; }
    .highlights { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .75rem; margin: 1.25rem 0 0; }
    .highlights div { background: var(--panel); border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .75rem; }
    .highlights dt { color: var(--quiet); font-size: .8rem; }
    .highlights dd { margin: 0; overflow-wrap: anywhere; font-size: 1.15rem; font-weight: 600; font-variant-numeric: tabular-nums; }
    .plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, max(21rem, 40%)), 1fr)); gap: 1rem; }
    .plots .spanning { grid-column: 1 / -1; }
    .plots.small { grid-template-columns: repeat(auto-fill, minmax(min(100%, 15rem), 1fr)); }
    .plots.small figcaption { font-size: .85rem; overflow-wrap: anywhere; }
    .expected { fill: none; stroke: var(--ink); stroke-width: 1; stroke-dasharray: 4 3; }
    figure { margin: 0; padding: .75rem .75rem .5rem; border: 1px solid var(--line); border-radius: .5rem; min-width: 0; }
    figcaption { display: flex; flex-wrap: wrap; gap: .1rem 1rem; align-items: baseline; font-weight: 600; margin-bottom: .25rem; }
    .remark { font-weight: 400; font-size: .85rem; color: var(--quiet); }
    .legend { display: flex; flex-wrap: wrap; gap: 0 .9rem; font-weight: 400; font-size: .85rem; color: var(--quiet); }
    .legend span { display: inline-flex; align-items: center; gap: .35rem; }
    .legend svg { width: 1.75rem; height: .75rem; }
    figure > svg { display: block; width: 100%; height: auto; overflow: visible; }
    svg text { fill: var(--quiet); font: 13px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; font-variant-numeric: tabular-nums; }
    svg .name { fill: var(--ink); }
    .grid { stroke: var(--line); stroke-width: 1; }
    .series { fill: none; stroke: currentColor; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
    .band { fill: currentColor; opacity: .15; }
    .faint { stroke-width: 1; opacity: .4; }
    .marker { fill: currentColor; stroke: var(--paper); stroke-width: 1.5; }
    .bar { fill: currentColor; } .stem { fill: none; stroke: currentColor; stroke-width: 3; } .apart { color: var(--quiet); }
    .leader { fill: none; stroke: var(--quiet); stroke-width: 1; }
    .whisker { fill: none; stroke: var(--ink); stroke-width: 1.5; }
    .s0 { color: var(--series-0); } .s1 { color: var(--series-1); } .s2 { color: var(--series-2); }
    .s3 { color: var(--series-3); } .s4 { color: var(--series-4); } .s5 { color: var(--series-5); }
    .d1 { stroke-dasharray: 7 4; } .d2 { stroke-dasharray: 2 4; } .d3 { stroke-dasharray: 9 3 2 3; } .d4 { stroke-dasharray: 12 4; } .d5 { stroke-dasharray: 4 2; }
    .narrow { display: none !important; }
    /* Where a table is wider than the page, shadows at its edges say that there is more, and its first column stays. */
    .table {
      overflow-x: auto; background:
        linear-gradient(to right, var(--paper) 40%, transparent) left / 2.5rem 100% no-repeat local,
        linear-gradient(to left, var(--paper) 40%, transparent) right / 2.5rem 100% no-repeat local,
        linear-gradient(to right, var(--shade), transparent) left / .75rem 100% no-repeat,
        linear-gradient(to left, var(--shade), transparent) right / .75rem 100% no-repeat;
    }
    .table tr > :first-child { position: sticky; left: 0; background: var(--paper); }
    table { border-collapse: collapse; width: 100%; font-size: .85rem; font-variant-numeric: tabular-nums; }
    th, td { text-align: left; vertical-align: top; padding: .35rem .6rem .35rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
    thead th { color: var(--quiet); font-weight: 600; white-space: nowrap; }
    tbody th { font-weight: 400; color: var(--quiet); min-width: 6.5rem; overflow-wrap: break-word; }
    .number { text-align: right; white-space: nowrap; }
    tr.best td, tr.best th { font-weight: 600; color: var(--ink); }
    .pairs th { width: 14rem; }
    pre { background: var(--panel); border: 1px solid var(--line); border-radius: .5rem; padding: .75rem; overflow-x: auto; font-size: .85rem; line-height: 1.45; margin: 0 0 .75rem; }
    code, .verbatim { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
    .verbatim { white-space: pre-wrap; font-size: .85rem; overflow-wrap: anywhere; }
    mark { background: color-mix(in srgb, var(--series-2) 22%, var(--paper)); color: var(--ink); border-bottom: 2px solid var(--series-2); }
    .sample { border: 1px solid var(--line); border-radius: .5rem; margin: 0 0 .75rem; padding: .6rem .75rem; }
    .sample { display: grid; grid-template-columns: fit-content(14rem) 1fr; gap: .4rem .75rem; align-items: baseline; }
    .sample > div { display: contents; }
    .sample > div > :first-child { color: var(--quiet); font-size: .85rem; }
    .matrix { width: auto; } .matrix .number { padding: .35rem .6rem; min-width: 3.5rem; } .matrix .full { color: var(--paper); }
    details { margin-top: .75rem; } summary { cursor: pointer; color: var(--quiet); }
    @media (max-width: 40rem) {
      .wide { display: none !important; } .narrow { display: block !important; }
      .pairs th { width: 9rem; } .sample { grid-template-columns: 1fr; gap: 0; } .sample > div > :last-child { margin-bottom: .4rem; }
      h1 { font-size: 1.4rem; }
    }
    @media print {
      :root {
        --paper: #fff; --ink: #000; --quiet: #444; --line: #bbb; --panel: #fff;
        --series-0: #0067a5; --series-1: #c04a00; --series-2: #00795b; --series-3: #a03c78; --series-4: #806000; --series-5: #3f51b5;
      }
      @page { margin: 12mm; }
      body { max-width: none; padding: 0 1px; font-size: 10pt; }
      .table { overflow: visible; background: none; } table { font-size: 7pt; } th, td { padding: .2rem .2rem .2rem 0; }
      .pairs { font-size: 9pt; } .table tr > :first-child { position: static; }
      thead th { white-space: normal; overflow-wrap: normal; vertical-align: bottom; } tbody th { min-width: 5rem; }
      figure, .sample, tr, .highlights { break-inside: avoid; } h2 { break-after: avoid; }
      pre { white-space: pre-wrap; } details::details-content { content-visibility: visible; block-size: auto; }
      .plots { grid-template-columns: 1fr 1fr; } .matrix td, rect, path { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
    }
    """
}
