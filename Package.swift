// swift-tools-version: 6.2
import PackageDescription

/// Flags of every target of ours: the language as it will be, and no warning left standing.
let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

let argumentParser = Target.Dependency.product(
    name: "ArgumentParser", package: "swift-argument-parser")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let system = Target.Dependency.product(name: "SystemPackage", package: "swift-system")

let package = Package(
    name: "pexip-fw",
    products: [
        .executable(name: "pexip-fwd", targets: ["pexip-fwd"]),
        .executable(name: "pexip-fwctl", targets: ["pexip-fwctl"]),
    ],
    // Exactly these, so that what is built is the same wherever it is built.
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-system", exact: "1.8.1"),
    ],
    targets: [
        // System libraries: Debian's -dev packages, found through pkg-config.
        .systemLibrary(
            name: "CNftables", pkgConfig: "libnftables", providers: [.apt(["libnftables-dev"])]),
        .systemLibrary(name: "CMnl", pkgConfig: "libmnl", providers: [.apt(["libmnl-dev"])]),
        .systemLibrary(name: "CYaml", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .systemLibrary(name: "CMd", pkgConfig: "libmd", providers: [.apt(["libmd-dev"])]),
        .target(name: "CLinux"),

        // Pure: no files, no clock, no kernel.
        .target(name: "PlainText", swiftSettings: strict),
        .target(name: "JSONValue", dependencies: ["PlainText"], swiftSettings: strict),
        .target(name: "PortModel", swiftSettings: strict),
        .target(name: "Metrics", swiftSettings: strict),
        .target(name: "Site", dependencies: ["PlainText", "PortModel"], swiftSettings: strict),
        .target(name: "Policy", dependencies: ["PortModel", "Site"], swiftSettings: strict),
        .target(
            name: "Ruleset", dependencies: ["PlainText", "PortModel", "Site", "Policy"],
            swiftSettings: strict),
        .target(
            name: "Reports", dependencies: ["PortModel", "Site", "Policy", "Ruleset"],
            swiftSettings: strict),

        // Borders: one module for each thing outside.
        .target(
            name: "Configuration",
            dependencies: ["PlainText", "PortModel", "Site", "LinuxSystem", "CYaml", system],
            swiftSettings: strict),
        .target(
            name: "LinuxSystem", dependencies: ["CLinux", "PlainText", system, logging],
            swiftSettings: strict),
        .target(
            name: "Netlink",
            dependencies: [
                "Policy", "PortModel", "Ruleset", "Site", "LinuxSystem", "CMnl", system,
            ],
            swiftSettings: strict),
        .target(
            name: "Nftables",
            dependencies: [
                "JSONValue", "PortModel", "Ruleset", "Site", "LinuxSystem", "Netlink", "CNftables",
                system,
            ],
            swiftSettings: strict),
        .target(
            name: "Control",
            dependencies: [
                "Reports", "JSONValue", "LinuxSystem", "Metrics", "Site", logging, system,
            ],
            swiftSettings: strict),

        .target(
            name: "Enforcement",
            dependencies: [
                "PortModel", "Configuration", "Site", "PlainText", "Policy", "Reports", "Ruleset",
                "LinuxSystem",
                "Metrics", "JSONValue", "CMd", logging, system,
            ],
            swiftSettings: strict),
        .target(
            name: "Agent",
            dependencies: [
                "Control", "Configuration", "Site", "Enforcement", "LinuxSystem",
                "Metrics",
                "Netlink", "Nftables", "Policy", "PortModel", "Reports", "Ruleset", logging, system,
            ],
            swiftSettings: strict),
        .target(
            name: "Doctor",
            dependencies: [
                "Enforcement", "LinuxSystem", "Netlink", "PlainText", "Policy", "PortModel",
                "Reports", "Ruleset", "Site", system,
            ],
            swiftSettings: strict),

        // Pure: what people are shown, as lines.
        .target(
            name: "Display",
            dependencies: [
                "Site", "Reports", "PlainText", "Policy", "PortModel", "Ruleset",
            ],
            swiftSettings: strict),

        // Pure: what auditors are shown, as pictures and as a page.
        .target(
            name: "Drawing",
            dependencies: ["Site", "PlainText", "Policy", "PortModel", "Ruleset"],
            swiftSettings: strict),
        .target(
            name: "Auditing",
            dependencies: [
                "Site", "Display", "Drawing", "Reports", "Policy", "PortModel", "Ruleset",
            ],
            swiftSettings: strict),

        // Pure: what helps to write a configuration.
        .target(
            name: "Authoring", dependencies: ["Site", "JSONValue", "PortModel"],
            swiftSettings: strict),

        // Arguments and wiring only.
        .executableTarget(
            name: "pexip-fwd",
            dependencies: [
                "Agent", "Enforcement", "LinuxSystem", "Nftables", "PlainText", logging,
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "pexip-fwctl",
            dependencies: [
                "Auditing", "Authoring", "Control", "Configuration", "Site", "Display", "Doctor",
                "Drawing",
                "Enforcement", "JSONValue", "LinuxSystem", "Metrics", "PlainText", "Policy",
                "PortModel", "Reports", "Ruleset",
                argumentParser, system,
            ],
            swiftSettings: strict),

        // Tests.
        .target(name: "CPacket", path: "Tests/CPacket"),
        .target(name: "ProbeProtocol", path: "Tests/ProbeProtocol", swiftSettings: strict),
        .executableTarget(
            name: "packet-probe", dependencies: ["CPacket", "PortModel", "ProbeProtocol"],
            path: "Tests/packet-probe", swiftSettings: strict),
        .executableTarget(name: "packet-stream", path: "Tests/packet-stream"),
        .target(
            name: "TestSupport",
            dependencies: ["CMnl", "CPacket", "PortModel", "ProbeProtocol", "Reports"],
            path: "Tests/TestSupport", swiftSettings: strict),
        .executableTarget(
            name: "benchmark",
            dependencies: [
                "CPacket", "Control", "Configuration", "Site", "Enforcement", "JSONValue",
                "Nftables", "PortModel", "Reports", "Ruleset", "TestSupport", argumentParser,
            ],
            path: "Tests/Benchmark", swiftSettings: strict),
        .target(
            name: "KernelFake",
            dependencies: ["Enforcement", "LinuxSystem", "PortModel", "Ruleset", "Site"],
            path: "Tests/KernelFake", swiftSettings: strict),
        .target(
            name: "DeploymentGenerator",
            dependencies: ["Policy", "PortModel", "Ruleset", "Site"],
            path: "Tests/DeploymentGenerator", swiftSettings: strict),
        .testTarget(
            name: "PolicyTests",
            dependencies: [
                "Configuration", "Site", "DeploymentGenerator", "JSONValue", "Policy", "PortModel",
                "Ruleset",
            ],
            exclude: ["Golden"], swiftSettings: strict),
        .testTarget(
            name: "NetlinkTests",
            dependencies: [
                "CMnl", "DeploymentGenerator", "Netlink", "Policy", "PortModel", "Ruleset", "Site",
                "TestSupport",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "NftablesTests",
            dependencies: [
                "Site", "DeploymentGenerator", "LinuxSystem", "Netlink",
                "Nftables", "Policy",
                "PortModel", "Ruleset", "TestSupport", "pexip-fwd", system,
            ],
            swiftSettings: strict),
        .testTarget(
            name: "KernelTests",
            dependencies: [
                "Authoring", "Control", "JSONValue", "Configuration", "Site", "DeploymentGenerator",
                "Doctor",
                "Enforcement", "Policy", "PortModel",
                "Reports", "Ruleset",
                "TestSupport", "packet-probe", "packet-stream", "pexip-fwctl", "pexip-fwd", logging,
            ],
            exclude: ["conversation.py", "monitoring.py", "tamper.py"], swiftSettings: strict),
        .testTarget(
            name: "PlainTextTests", dependencies: ["PlainText"], swiftSettings: strict),
        .testTarget(name: "PortModelTests", dependencies: ["PortModel"], swiftSettings: strict),
        .testTarget(
            name: "ConfigurationTests",
            dependencies: [
                "Authoring", "Configuration", "Site", "DeploymentGenerator", "JSONValue",
                "PortModel",
                "TestSupport",
            ],
            exclude: ["Examples", "schema_verdicts.py"], swiftSettings: strict),
        .testTarget(
            name: "AuthoringTests",
            dependencies: [
                "Authoring", "Configuration", "Site", "DeploymentGenerator", "PortModel",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "RulesetTests",
            dependencies: [
                "Configuration", "Site", "DeploymentGenerator", "KernelFake", "Policy", "PortModel",
                "Ruleset",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "EnforcementTests",
            dependencies: [
                "Auditing", "DeploymentGenerator", "Display",
                "Configuration", "Site", "Enforcement", "JSONValue", "KernelFake", "Metrics",
                "Policy",
                "PortModel",
                "Reports", "Ruleset", logging,
            ],
            swiftSettings: strict),
        .testTarget(name: "MetricsTests", dependencies: ["Metrics"], swiftSettings: strict),
        .testTarget(
            name: "DisplayTests",
            dependencies: [
                "Configuration", "Site", "Display", "Enforcement", "JSONValue", "Policy",
                "PortModel", "Reports",
                "Ruleset",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "DrawingTests",
            dependencies: [
                "Configuration", "Site", "DeploymentGenerator", "Drawing", "Policy", "PortModel",
                "Ruleset",
            ],
            exclude: ["Golden"], swiftSettings: strict),
        .testTarget(
            name: "AuditingTests",
            dependencies: [
                "Auditing", "Configuration", "Site", "Drawing", "Enforcement", "PortModel",
                "Reports", "Ruleset",
                "TestSupport",
            ],
            exclude: ["browser.py"], swiftSettings: strict),
        .testTarget(
            name: "DoctorTests",
            dependencies: [
                "Configuration", "Site", "Doctor", "Enforcement", "PortModel", "Reports", "Ruleset",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "ManualTests",
            dependencies: [
                "Configuration", "Site", "Enforcement", "PortModel", "Reports", "Ruleset",
                "TestSupport",
                "pexip-fwctl",
                "pexip-fwd",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "StructureTests", dependencies: ["TestSupport", "pexip-fwctl"],
            swiftSettings: strict),
        .testTarget(
            name: "LinuxSystemTests",
            dependencies: ["LinuxSystem", "TestSupport", logging, system], swiftSettings: strict),
        .testTarget(name: "JSONValueTests", dependencies: ["JSONValue"], swiftSettings: strict),
        .testTarget(
            name: "ControlTests",
            dependencies: [
                "Control", "Enforcement", "JSONValue", "LinuxSystem", "Metrics", "PortModel",
                "Reports",
                logging, system,
            ],
            exclude: ["Golden", "varlink_client.py"], swiftSettings: strict),
        .testTarget(
            name: "TestSupportTests", dependencies: ["PortModel", "TestSupport"],
            swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6]
)

// What libFuzzer runs. It links with the sanitizer only, as packaging/fuzz does.
if Context.environment["PEXIP_FW_FUZZING"] != nil {
    package.targets.append(
        .executableTarget(
            name: "fuzzing",
            dependencies: [
                "Authoring", "Control", "Configuration", "Site", "Doctor", "Enforcement",
                "JSONValue",
                "LinuxSystem", "Netlink", "Nftables", "Policy", "PortModel", "Reports", "Ruleset",
            ],
            path: "Tests/Fuzzing", exclude: ["Corpus", "Dictionaries"], swiftSettings: strict))
}
