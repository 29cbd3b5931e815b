import Testing

@testable import Metrics

/// The texts that collectors read, to the letter.
@Suite("Exposition")
struct ExpositionTests {
    private static let families = [
        MetricFamily(
            "fw_build", .info, help: "The \"build\".", [Metric(1, ["version": "0.1.0"])]),
        MetricFamily("fw_state", .gauge, help: "A \\ and\na line.", [Metric(0.5), Metric(-2)]),
        MetricFamily(
            "fw_row_bytes", .counter, unit: .bytes, help: "Bytes.",
            [Metric(9_007_199_254_740_991, ["row": "a", "node": "n"]), Metric(1e17)]),
        MetricFamily("fw_none_seconds", .gauge, unit: .seconds, help: "Nothing now.", []),
        MetricFamily(
            "fw_time_seconds", .histogram, unit: .seconds, help: "Times.",
            [
                Metric(
                    Histogram(
                        buckets: [.init(upTo: 0.0005, count: 1), .init(upTo: 1, count: 3)],
                        count: 4, sum: 2.25), ["row": "a"])
            ]),
    ]

    @Test("OpenMetrics: families without the suffix of their samples, units, quotes, an end")
    func openMetrics() {
        #expect(
            Self.families.text(as: .openMetrics) == #"""
                # TYPE fw_build info
                # HELP fw_build The \"build\".
                fw_build_info{version="0.1.0"} 1
                # TYPE fw_state gauge
                # HELP fw_state A \\ and\na line.
                fw_state 0.5
                fw_state -2
                # TYPE fw_row_bytes counter
                # UNIT fw_row_bytes bytes
                # HELP fw_row_bytes Bytes.
                fw_row_bytes_total{node="n",row="a"} 9007199254740991
                fw_row_bytes_total 1e+17
                # TYPE fw_none_seconds gauge
                # UNIT fw_none_seconds seconds
                # HELP fw_none_seconds Nothing now.
                # TYPE fw_time_seconds histogram
                # UNIT fw_time_seconds seconds
                # HELP fw_time_seconds Times.
                fw_time_seconds_bucket{row="a",le="0.0005"} 1
                fw_time_seconds_bucket{row="a",le="1.0"} 3
                fw_time_seconds_bucket{row="a",le="+Inf"} 4
                fw_time_seconds_sum{row="a"} 2.25
                fw_time_seconds_count{row="a"} 4
                # EOF

                """#)
    }

    @Test("Prometheus' text: families named as their samples, no units, no end")
    func prometheus() {
        #expect(
            Self.families.text(as: .prometheus) == #"""
                # TYPE fw_build_info gauge
                # HELP fw_build_info The "build".
                fw_build_info{version="0.1.0"} 1
                # TYPE fw_state gauge
                # HELP fw_state A \\ and\na line.
                fw_state 0.5
                fw_state -2
                # TYPE fw_row_bytes_total counter
                # HELP fw_row_bytes_total Bytes.
                fw_row_bytes_total{node="n",row="a"} 9007199254740991
                fw_row_bytes_total 1e+17
                # TYPE fw_none_seconds gauge
                # HELP fw_none_seconds Nothing now.
                # TYPE fw_time_seconds histogram
                # HELP fw_time_seconds Times.
                fw_time_seconds_bucket{row="a",le="0.0005"} 1
                fw_time_seconds_bucket{row="a",le="1.0"} 3
                fw_time_seconds_bucket{row="a",le="+Inf"} 4
                fw_time_seconds_sum{row="a"} 2.25
                fw_time_seconds_count{row="a"} 4

                """#)
    }

    @Test(
        "what others named is no way out of a label",
        arguments: [
            ("a\"} 1\nfw_state 7", #"a\"} 1\nfw_state 7"#), ("C:\\n", #"C:\\n"#),
            ("é\u{301}\r\u{0}", "é\u{301}\r\u{0}"), ("", ""), ("\r\n", "\r\\n"),
        ])
    func escaping(label: String, written: String) {
        for format in ExpositionFormat.allCases {
            let family = MetricFamily("fw", .gauge, help: "", [Metric(1, ["l": label])])
            let text = [family].text(as: format)
            #expect(Array(text.utf8).contains(Array("\nfw{l=\"\(written)\"} 1\n".utf8)), "\(text)")
        }
    }

    @Test("a number that is none is written as collectors read it")
    func numbers() {
        let family = MetricFamily(
            "fw", .gauge, help: "",
            [.nan, .infinity, -.infinity, 0x1p53, -0.25, 0.1].map { Metric($0) })
        let lines = [family].text(as: .prometheus).split(separator: "\n").dropFirst(2)
        #expect(
            lines == [
                "fw NaN", "fw +Inf", "fw -Inf", "fw 9007199254740992.0", "fw -0.25", "fw 0.1",
            ])
    }
}
