import PortModel
import Testing

@testable import Display
@testable import Enforcement
@testable import Reports

@Suite struct MeshPageTests {
    static let now = Timestamp(seconds: 1_800_007_500)

    static func ago(_ seconds: Int64?) -> Timestamp? {
        seconds.map { Timestamp(seconds: now.seconds - $0) }
    }

    static func pair(
        _ second: String, _ state: MeshReport.State, ike: (Int64?, Int64?) = (nil, nil),
        esp: (Int64?, Int64?) = (nil, nil), interface: String? = "eth0",
        evidence: [MeshReport.Evidence] = []
    ) -> MeshReport.Pair {
        let (one, other) = (IPAddress("10.0.0.21")!, IPAddress("10.0.0.22")!)
        return MeshReport.Pair(
            first: "conf-lon-1", second: second, firstAddress: one, secondAddress: other,
            state: state, ike: .init(forth: ago(ike.0), back: ago(ike.1)),
            esp: .init(forth: ago(esp.0), back: ago(esp.1)),
            routes: [.init(address: other, interface: interface)], evidence: evidence)
    }

    static func report(
        _ pairs: [MeshReport.Pair], omitted: [MeshReport.State: Int] = [:],
        _ change: (inout MeshReport) -> Void = { _ in }
    ) -> MeshReport {
        var counts: [String: Int] = [:]
        for pair in pairs { counts[pair.state.rawValue, default: 0] += 1 }
        for (state, count) in omitted { counts[state.rawValue, default: 0] += count }
        var report = MeshReport(
            notedSince: ago(7_500), counts: counts, pairs: pairs,
            omitted: omitted.values.reduce(0, +), strangers: [], isFull: false)
        change(&report)
        return report
    }

    static func text(_ report: MeshReport, width: Int? = 80) -> String {
        report.page(now: now).lines(width: width, isColoured: false).joined(separator: "\n")
    }

    @Test func up() {
        let report = Self.report([
            Self.pair("mgmt", .up, ike: (3_000, 3_001), esp: (1, 0)),
            Self.pair("conf-lon-2", .up, esp: (12, 90)),
        ])
        #expect(
            Self.text(report) == """
                mesh: none broken of 2 pairs of nodes
                  noted     since 2027-01-15T08:00:00Z (2 h 5 min)
                  ages      of the last packet from the first node to the second / back
                  conf-lon-1 <> mgmt        up: IKE 50 min / 50 min, ESP 1 s / 0 s, by eth0
                  conf-lon-1 <> conf-lon-2  up: IKE never / never, ESP 12 s / 1 min, by eth0
                """)
    }

    @Test func broken() {
        let evidence = MeshReport.Evidence(
            kind: .stranger, from: IPAddress("203.0.113.9")!, to: IPAddress("10.0.0.21")!,
            seen: Self.ago(4)!)
        let report = Self.report(
            [
                Self.pair("c3", .noRoute, interface: nil),
                Self.pair("c2", .espOneWay, ike: (12, 9), esp: (1, nil)),
                Self.pair("c4", .natSuspected, ike: (5, nil), evidence: [evidence]),
            ], omitted: [.up: 40]
        ) { report in
            report.strangers = [
                MeshReport.Stranger(
                    kind: .ike, from: evidence.from, to: evidence.to, node: "conf-lon-1",
                    seen: evidence.seen)
            ]
        }
        #expect(
            Self.text(report) == """
                mesh: 3 BROKEN of 43 pairs of nodes
                  states    1 NO ROUTE, 1 ESP ONE WAY, 1 NAT SUSPECTED, 40 up
                  noted     since 2027-01-15T08:00:00Z (2 h 5 min)
                  ages      of the last packet from the first node to the second / back
                  conf-lon-1 <> c3  NO ROUTE: IKE never / never, ESP never / never
                                    this host has no route to 10.0.0.22
                  conf-lon-1 <> c2  ESP ONE WAY: IKE 12 s / 9 s, ESP 1 s / never, by eth0
                  conf-lon-1 <> c4  NAT SUSPECTED: IKE 5 s / never, ESP never / never, by eth0
                                    IPsec from 203.0.113.9 to 10.0.0.21 was refused 4 s ago,
                                    since one is no node's address: it may be c4 behind a NAT
                  and 40 more pairs: see --all, or --node NAME for those of one node
                  -> NO ROUTE: pexip-fwctl doctor says how to add a route
                  -> ESP ONE WAY: every firewall on the way must let pass IP protocol 50 from
                     10.0.0.22 to 10.0.0.21; what the rules at either end do, tells pexip-fwctl
                     explain esp 10.0.0.22 10.0.0.21 there
                  -> NAT SUSPECTED: nodes reach each other by the addresses that are configured,
                     without a NAT; where the stranger is none of them, look whether 10.0.0.21
                     and 10.0.0.22 exchange UDP 500
                  stranger  IKE from 203.0.113.9 to 10.0.0.21, 4 s ago: refused; one end is
                            conf-lon-1, the other is no node
                """)
    }

    @Test func nobodyElse() {
        #expect(Self.text(Self.report([])).contains("no pairs"))
    }

    @Test func aFullSetIsWarnedOf() {
        let report = Self.report([Self.pair("c", .up)]) { $0.isFull = true }
        #expect(Self.text(report).contains("the kernel holds no more pairs"))
    }

    @Test(arguments: MeshReport.State.allCases)
    func everyStateThatIsBrokenSaysWhatHelps(_ state: MeshReport.State) {
        let text = Self.text(Self.report([Self.pair("c", state)]))
        #expect(text.contains(state.name))
        #expect(text.contains("-> ") == state.isBroken)
        // Loud where it is broken, also without colour.
        #expect((state.name == state.name.uppercased()) == state.isBroken)
    }

    @Test(arguments: [40, 80, 132]) func noLineIsLongerThanTheScreen(_ width: Int) {
        let long = "conferencing-node-of-the-northern-datacentre-with-a-very-long-name-0001"
        let address = IPAddress("2001:db8:ffff:eeee:dddd:cccc:bbbb:aaaa")!
        let kinds: [MeshReport.Evidence.Kind] = [
            .translated, .traversal, .sourcePort, .secondaryAddress, .stranger,
        ]
        let report = Self.report(
            MeshReport.State.allCases.map { state in
                Self.pair(
                    long, state, ike: (400_000, nil), esp: (4, 7_200),
                    evidence: kinds.map {
                        MeshReport.Evidence(
                            kind: $0, from: address, to: address, seen: Self.now)
                    })
            }, omitted: [.silent: 400_000]
        ) { report in
            report.isFull = true
            report.strangers = (0..<9).map { _ in
                MeshReport.Stranger(
                    kind: .traversal, from: address, to: address, node: long, seen: Self.now)
            }
        }
        let page = report.page(now: Self.now)
        let lines = page.lines(width: width, isColoured: false)
        #expect(lines.allSatisfy { $0.count <= width }, "\(lines)")
        #expect(page.lines(width: width, isColoured: true) != lines)
    }
}
