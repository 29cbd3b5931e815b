import Configuration
import Enforcement
import PortModel
import Reports
import Ruleset
import Site
import Testing

@Suite struct CompilationTests {
    static let two = """
        nodes:
          a: {role: conferencing, address: 10.0.0.21, secondary_address: 198.51.100.21}
          b: {role: management, address: 10.0.0.22}

        """
    static let other = IPAddress(family: .ipv4, value: 0x0a00_0016)
    static let secondary = IPAddress(family: .ipv4, value: 0xc633_6415)
    static let elsewhere = IPAddress(family: .ipv4, value: 0x0102_0304)

    @Test(arguments: [
        ([hostAddress], "a"), ([secondary], "a"), ([other, elsewhere], "b"),
        ([hostAddress, secondary], "a"),
    ])
    func autoFindsTheNodeByAnyOfItsAddresses(_ host: [IPAddress], _ name: String) {
        let compilation = compile(Self.two, host: Set(host))
        #expect(compilation.target?.nodes.map(\.name) == [name])
        #expect(compilation.target?.ruleset.tables.map(\.name) == ["pexip_fw_\(name)"])
        #expect(compilation.diagnostics == [])
    }

    @Test(arguments: [([], "finds no node"), ([hostAddress, other], "finds 2 nodes")])
    func autoMustFindOneNode(_ host: [IPAddress], _ message: String) {
        let compilation = compile(Self.two, host: Set(host))
        #expect(compilation.target == nil)
        #expect(compilation.diagnostics.map(\.severity) == [.error])
        #expect(compilation.diagnostics.first?.message.contains(message) == true)
        #expect(!compilation.isEmpty)
    }

    @Test func aNamedNodeWithoutAnAddressHereIsAWarning() {
        let text = Self.two + "enforce: [b]\n"
        let compilation = compile(text)
        #expect(compilation.target?.nodes.map(\.name) == ["b"])
        #expect(compilation.diagnostics.map(\.severity) == [.warning])
        #expect(compile(text, host: [Self.other]).diagnostics == [])
    }

    @Test func aGatewayIsWarnedOfItsOwnAddressesAndOfNoOthers() {
        let text = Self.two + "placement: gateway\n"
        #expect(compile(text, host: [Self.elsewhere]).diagnostics == [])
        let itself = compile(text, host: [Self.elsewhere, Self.other])
        #expect(itself.target?.nodes.map(\.name) == ["a", "b"])
        #expect(itself.diagnostics.map(\.severity) == [.warning])
        #expect(
            itself.diagnostics.first?.message.contains("node b (10.0.0.22) is this host") == true)
    }

    @Test func anyNodeCanBeCompiledByName() {
        let loaded = LoadedConfiguration(parsing: [
            ConfigurationSource(path: "a.yaml", text: Self.two)
        ])
        let known = Compilation(loaded, hostAddresses: [], node: "b")
        #expect(known.target?.nodes.map(\.name) == ["b"])
        #expect(known.diagnostics == [])
        let unknown = Compilation(loaded, hostAddresses: [], node: "c")
        #expect(unknown.target == nil)
        #expect(unknown.diagnostics.first?.message.contains("known are a, b") == true)
    }

    // MARK: What it depends on

    @Test(arguments: ["", "placement: gateway\n", "enforce: [b]\n", "mode: observe\n"])
    func itDependsOnAddressesThatNodesHave(_ settings: String) {
        let compilation = compile(Self.two + settings, host: [hostAddress, Self.elsewhere])
        let dependence = compilation.hostDependence
        for other: Set<IPAddress> in [
            [hostAddress], [hostAddress, Self.elsewhere],
            [hostAddress, IPAddress(family: .ipv4, value: 1)],
        ] {
            #expect(!dependence.isOther(by: other))
            let another = compile(Self.two + settings, host: other)
            #expect(another.target == compilation.target)
            #expect(another.diagnostics == compilation.diagnostics)
        }
        for other: Set<IPAddress> in [
            [], [Self.secondary], [Self.other], [hostAddress, Self.other],
            [hostAddress, Self.secondary],
        ] {
            #expect(dependence.isOther(by: other))
        }
    }

    @Test func ofWhatIsWrongNothingDependsOnTheHost() {
        #expect(!wrongConfiguration.hostDependence.isOther(by: [hostAddress]))
        #expect(!emptyConfiguration.hostDependence.isOther(by: [hostAddress]))
        // But where the addresses could not be had, they may be any.
        let loaded = LoadedConfiguration(parsing: [
            ConfigurationSource(path: "a.yaml", text: Self.two)
        ])
        let refused = Compilation(refusing: loaded, because: "reasons")
        #expect(refused.hostDependence.isOther(by: []))
        #expect(refused.hostDependence.isOther(by: [hostAddress]))
    }

    @Test func aGatewayDependsOnTheWaysToItsNodes() {
        func routes(_ unreachable: Set<IPAddress>, _ forwarded: Set<AddressFamily>) -> HostRoutes {
            HostRoutes(forwarded: forwarded) { !unreachable.contains($0) }
        }
        let loaded = LoadedConfiguration(parsing: [
            ConfigurationSource(path: "a.yaml", text: Self.two + "placement: gateway\n")
        ])
        let dependence = Compilation(
            loaded, hostAddresses: [], routes: routes([Self.other], [.ipv4])
        ).hostDependence
        #expect(dependence.hasRoutes)
        #expect(!dependence.isOther(by: routes([Self.other], [.ipv4])))
        #expect(!dependence.isOther(by: routes([Self.other, Self.elsewhere], [.ipv4, .ipv6])))
        #expect(dependence.isOther(by: routes([], [.ipv4])))
        #expect(dependence.isOther(by: routes([Self.other, hostAddress], [.ipv4])))
        #expect(dependence.isOther(by: routes([Self.other], [])))
        let local = compile(Self.two).hostDependence
        #expect(!local.hasRoutes)
        #expect(!local.isOther(by: routes([hostAddress], [])))
    }

    @Test func nothingConfiguredIsRefusedAndWrongIsNotEmpty() {
        #expect(emptyConfiguration.target == nil)
        #expect(emptyConfiguration.isEmpty)
        #expect(emptyConfiguration.diagnostics.map(\.severity) == [.error])
        #expect(wrongConfiguration.target == nil)
        #expect(!wrongConfiguration.isEmpty)
    }

    @Test func theDigestDependsOnEveryByteNameAndOrder() {
        func digest(_ files: (String, String)...) -> String {
            let sources = files.map { ConfigurationSource(path: $0.0, text: $0.1) }
            return Compilation(
                LoadedConfiguration(parsing: sources), hostAddresses: []
            ).configurationDigest
        }
        let digests = [
            digest(), digest(("a", "")), digest(("b", "")), digest(("a", "x")),
            digest(("a", "y")), digest(("a", "x\n")), digest(("a", "x"), ("b", "y")),
            digest(("b", "y"), ("a", "x")), digest(("a", "y"), ("b", "x")),
            digest(("a", "xb"), ("", "y")), digest(("a", ""), ("b", "")), digest(("ab", "")),
        ]
        #expect(Set(digests).count == digests.count)
        #expect(digest(("a", "x"), ("b", "y")) == digest(("a", "x"), ("b", "y")))
        // FIPS 180-4, of nothing.
        #expect(digest().hasPrefix("e3b0c44298fc1c149afbf4c8996fb924"))
        #expect(SHA256Digest(of: "abc").hexadecimal.hasPrefix("ba7816bf8f01cfea414140de5dae2223"))
    }
}
