import Enforcement
import KernelFake
import Reports
import Ruleset
import Site
import Testing

/// What the reconciler makes of foreign chains, and when they are looked for.
@Suite("Shadowing")
struct ShadowingTests {
    private static func chain(
        _ point: ForeignChain.HookPoint, family: TableFamily = .inet,
        table: String = "firewalld", effects: Set<Shadow.Reason> = [.reject]
    ) -> ForeignChain {
        ForeignChain(
            family, table, "filter_INPUT", at: .init(point, priority: 10), effects: effects)
    }

    @Test("status tells of a chain at our hooks, with what to do, and is not degraded by it")
    func told() async throws {
        let bench = try await Bench.holding(1)
        await bench.kernel.setForeign([
            Self.chain(.input), Self.chain(.forward, table: "routed"),
            Self.chain(.input, family: .ip6, table: "six"),
        ])
        await bench.reconciler.lookForShadows()
        let status = await bench.reconciler.inspector.status()
        #expect(status.state == .inSync)
        #expect(status.shadows.map(\.table) == ["firewalld"])
        let warning = try #require(status.warnings.first)
        #expect(status.warnings.count == 1)
        #expect(
            warning.hasPrefix(
                "table inet firewalld, chain filter_INPUT (hook input, priority 10, firewalld) has rules that reject; it may cut what pexip-fw permits: "
            ))
        #expect(warning.contains("firewall-cmd --permanent --zone=trusted"))

        await bench.kernel.setForeign([])
        await bench.reconciler.lookForShadows()
        #expect(await bench.reconciler.inspector.status().shadows.isEmpty)
        #expect(await bench.reconciler.inspector.status().warnings.isEmpty)
    }

    @Test("nothing in force is shadowed by nobody; a generation that comes is")
    func nothingInForce() async throws {
        let bench = try Bench()
        await bench.kernel.setForeign([Self.chain(.input)])
        await bench.reconciler.lookForShadows()
        #expect(await bench.reconciler.inspector.status().shadows.isEmpty)
        await bench.reconciler.start(configuration(1))
        #expect(await bench.reconciler.inspector.status().shadows.count == 1)
        _ = await bench.reconciler.flushed()
        #expect(await bench.reconciler.inspector.status().shadows.isEmpty)
    }

    @Test("tables that can't be read are a warning; what was known is told until then")
    func unreadable() async throws {
        let bench = try await Bench.holding(1)
        await bench.kernel.setForeign([Self.chain(.input)])
        await bench.reconciler.lookForShadows()
        await bench.kernel.setForeign([], isReadable: false)
        await bench.reconciler.lookForShadows()
        let status = await bench.reconciler.inspector.status()
        #expect(status.state == .inSync)
        #expect(status.shadows.count == 1)
        #expect(status.warnings.last?.hasPrefix("other tables can't be read: ") == true)
    }

    @Test("a table that is called as ours are is told, with the command that takes it away")
    func lookalikes() async throws {
        let bench = try await Bench.holding(1)
        await bench.kernel.tamper { $0.tables["pexip_fw_a\n\u{1b}[2J"] = .init() }
        await bench.reconciler.lookForShadows()
        let status = await bench.reconciler.inspector.status()
        #expect(status.state == .inSync)
        #expect(
            status.warnings == [
                #"table inet "pexip_fw_a\n\u{1b}[2J" is called as ours are and is not ours, so that it stays: nft delete table inet handle 1 takes it away"#
            ])
        // Also where nothing is in force.
        _ = await bench.reconciler.flushed()
        #expect(await bench.reconciler.inspector.status().warnings.count == 1)
        #expect(await bench.kernel.state.tables.count == 1)

        await bench.kernel.tamper { state in
            for index in 0..<30 { state.tables["pexip_fw_\(index)"] = .init() }
        }
        await bench.reconciler.lookForShadows()
        let warnings = await bench.reconciler.inspector.status().warnings
        #expect(warnings.count == 9)
        #expect(warnings.last == "23 more tables of such names: see nft list tables inet")
    }

    @Test(
        "answers that can't be told from media are warned of, unless the configuration says what to do",
        arguments: [
            ("", true), ("host: {track_media: auto}", true), ("host: {track_media: true}", false),
            ("host: {track_media: false}", false), ("placement: gateway", false),
        ])
    func translation(text: String, isTold: Bool) async throws {
        let bench = try Bench()
        await bench.reconciler.start(
            compile("nodes: {conf: {role: conferencing, address: 10.0.0.21}}\n\(text)"))
        #expect(await bench.reconciler.generationInForce?.number == 1)
        func warnings(_ family: TableFamily) async -> [String] {
            var chain = Self.chain(.postrouting, family: family, table: "nat", effects: [])
            chain.translatesSources = true
            await bench.kernel.setForeign([chain])
            await bench.reconciler.lookForShadows()
            return await bench.reconciler.inspector.status().warnings
        }
        #expect(await warnings(.ip6) == [])
        let told = await warnings(.ip)
        #expect(told.count == (isTold ? 1 : 0), "\(told)")
        #expect(
            told.allSatisfy {
                $0.hasPrefix("table ip nat, chain filter_INPUT may give packets of others")
                    && $0.contains("host: {track_media: true} tracks it")
            })
        #expect(await bench.reconciler.inspector.status().shadows.isEmpty)
    }

    @Test("what is to be tracked may change where no rule does")
    func settledTranslation() async throws {
        let bench = try Bench()
        let node = "nodes: {conf: {role: conferencing, address: 10.0.0.21}}\n"
        await bench.reconciler.start(compile(node))
        var chain = Self.chain(.postrouting, family: .ip, table: "nat", effects: [])
        chain.translatesSources = true
        await bench.kernel.setForeign([chain])
        await bench.reconciler.lookForShadows()
        #expect(await bench.reconciler.inspector.status().warnings.count == 1)
        let settled = compile(node + "host: {track_media: false}")
        _ = await bench.reconciler.applied(settled, Reconciler.ApplyRequest())
        #expect(await bench.reconciler.generationInForce?.number == 2)
        #expect(await bench.reconciler.inspector.status().warnings.isEmpty)
        // Nor is it applied twice.
        #expect(try await bench.reconciler.inspector.plan(settled).outcome == .unchanged)
    }

    @Test("more chains than a screen holds are counted; the data has them all")
    func many() async throws {
        let bench = try await Bench.holding(1)
        await bench.kernel.setForeign(
            (10..<30).map { Self.chain(.input, table: "t\($0)") })
        await bench.reconciler.lookForShadows()
        let status = await bench.reconciler.inspector.status()
        #expect(status.shadows.count == 20)
        #expect(status.warnings.count == 9)
        #expect(status.warnings.last == "12 more chains of other tables may do so: see --json")
    }

    @Test(
        "each way to shadow has its words and each owner its advice",
        arguments: Shadow.Reason.allCases)
    func words(reason: Shadow.Reason) {
        for owner in Shadow.Owner.allCases.map(Optional.some) + [nil] {
            let shadow = Shadow(
                family: .ip, table: "filter", chain: "INPUT", hook: .input, priority: 0,
                policy: .accept, why: [reason], owner: owner)
            let warning = shadow.warning
            #expect(warning.hasPrefix("table ip filter, chain INPUT (hook input, priority 0"))
            #expect(warning.contains("pexip-fw permits") != warning.contains("pexip-fw refuses"))
        }
        #expect(
            Shadow(legacy: "filter", family: .ip6).warning
                == "iptables-legacy's table ip6 filter may hold rules, which can't be read from here; it may cut what pexip-fw permits: ip6tables-legacy -t filter -S shows its rules; let them accept the nodes' addresses, or, where they are not needed, unload them (modprobe -r ip6table_filter)"
        )
    }

    @Test("a look comes a second after a change, and seldom where changes never end")
    func pace() {
        let start = ContinuousClock.now
        var now = start
        var pace = ShadowPace()
        #expect(pace.delay(now: now) == .seconds(1))
        var looks = 0
        // Somebody commits all the time for ten minutes.
        while now < start + .seconds(600) {
            let delay = pace.delay(now: now)
            #expect(delay >= .seconds(1) && delay <= .seconds(30))
            now += delay
            pace.looked(now: now)
            looks += 1
        }
        #expect(pace.delay(now: now) == .seconds(30))
        #expect(looks < 30)
        // A minute of rest, and it is as at first.
        now += .seconds(60)
        #expect(pace.delay(now: now) == .seconds(1))
        pace.looked(now: now + .seconds(1))
        #expect(pace.delay(now: now + .seconds(10)) == .seconds(1))
    }
}
