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
        .target(name: "Policy", dependencies: ["PortModel", "Deployment"], swiftSettings: strict),
        .target(
            name: "Ruleset", dependencies: ["PlainText", "PortModel", "Deployment", "Policy"],
            swiftSettings: strict),

        // Borders: one module for each thing outside.
        .target(
            name: "Deployment",
            dependencies: ["PlainText", "PortModel", "LinuxSystem", "CYaml", system],
            swiftSettings: strict),
        .target(
            name: "LinuxSystem", dependencies: ["CLinux", "PlainText", system, logging],
            swiftSettings: strict),
        .target(
            name: "Nftables",
            dependencies: [
                "JSONValue", "Policy", "PortModel", "Ruleset", "LinuxSystem", "CNftables", "CMnl",
                system,
            ],
            swiftSettings: strict),
        .target(
            name: "Control", dependencies: ["JSONValue", "LinuxSystem", logging, system],
            swiftSettings: strict),

        .target(
            name: "Enforcement",
            dependencies: [
                "PortModel", "Deployment", "PlainText", "Policy", "Ruleset", "LinuxSystem",
                "Metrics", "JSONValue", "CMd", logging, system,
            ],
            swiftSettings: strict),
        .target(
            name: "Agent",
            dependencies: [
                "Control", "Deployment", "Enforcement", "JSONValue", "LinuxSystem", "Metrics",
                "Nftables", "Policy", "PortModel", "Ruleset", logging, system,
            ],
            swiftSettings: strict),
        .target(
            name: "Doctor",
            dependencies: [
                "Deployment", "Enforcement", "LinuxSystem", "Nftables", "PortModel", "Ruleset",
                system,
            ],
            swiftSettings: strict),

        // Pure: what people are shown, as lines.
        .target(
            name: "Display",
            dependencies: [
                "Deployment", "Enforcement", "PlainText", "Policy", "PortModel", "Ruleset",
            ],
            swiftSettings: strict),

        // Pure: what auditors are shown, as pictures and as a page.
        .target(
            name: "Drawing",
            dependencies: ["Deployment", "PlainText", "Policy", "PortModel", "Ruleset"],
            swiftSettings: strict),
        .target(
            name: "Auditing",
            dependencies: [
                "Deployment", "Display", "Drawing", "Enforcement", "Policy", "PortModel", "Ruleset",
            ],
            swiftSettings: strict),

        // Pure: what helps to write a configuration.
        .target(
            name: "Authoring", dependencies: ["Deployment", "JSONValue", "PortModel"],
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
                "Auditing", "Authoring", "Control", "Deployment", "Display", "Doctor", "Drawing",
                "Enforcement", "JSONValue", "LinuxSystem", "Metrics", "PlainText", "Policy",
                "PortModel", "Ruleset",
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
            dependencies: ["CPacket", "Enforcement", "PortModel", "ProbeProtocol"],
            path: "Tests/TestSupport", swiftSettings: strict),
        .executableTarget(
            name: "benchmark",
            dependencies: [
                "CPacket", "Control", "Deployment", "Enforcement", "JSONValue",
                "Nftables", "PortModel", "Ruleset", "TestSupport", argumentParser,
            ],
            path: "Tests/Benchmark", swiftSettings: strict),
        .target(
            name: "KernelFake",
            dependencies: ["Enforcement", "LinuxSystem", "PortModel", "Ruleset"],
            path: "Tests/KernelFake", swiftSettings: strict),
        .target(
            name: "DeploymentGenerator",
            dependencies: ["Deployment", "Policy", "PortModel", "Ruleset"],
            path: "Tests/DeploymentGenerator", swiftSettings: strict),
        .testTarget(
            name: "PolicyTests",
            dependencies: ["Deployment", "DeploymentGenerator", "Policy", "PortModel", "Ruleset"],
            exclude: ["Golden"], swiftSettings: strict),
        .testTarget(
            name: "NftablesTests",
            dependencies: [
                "Deployment", "DeploymentGenerator", "LinuxSystem", "Nftables", "Policy",
                "PortModel", "Ruleset", "TestSupport", "pexip-fwd",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "KernelTests",
            dependencies: [
                "Authoring", "Control", "JSONValue", "Deployment", "DeploymentGenerator", "Doctor",
                "Enforcement", "Policy", "PortModel",
                "Ruleset",
                "TestSupport", "packet-probe", "packet-stream", "pexip-fwctl", "pexip-fwd", logging,
            ],
            exclude: ["conversation.py", "monitoring.py", "tamper.py"], swiftSettings: strict),
        .testTarget(
            name: "PlainTextTests", dependencies: ["PlainText"], swiftSettings: strict),
        .testTarget(name: "PortModelTests", dependencies: ["PortModel"], swiftSettings: strict),
        .testTarget(
            name: "DeploymentTests",
            dependencies: [
                "Authoring", "Deployment", "DeploymentGenerator", "JSONValue", "PortModel",
                "TestSupport",
            ],
            exclude: ["Examples", "schema_verdicts.py"], swiftSettings: strict),
        .testTarget(
            name: "AuthoringTests",
            dependencies: ["Authoring", "Deployment", "DeploymentGenerator", "PortModel"],
            swiftSettings: strict),
        .testTarget(
            name: "RulesetTests",
            dependencies: [
                "Deployment", "DeploymentGenerator", "KernelFake", "Policy", "PortModel", "Ruleset",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "EnforcementTests",
            dependencies: [
                "Auditing", "DeploymentGenerator", "Display",
                "Deployment", "Enforcement", "KernelFake", "Metrics", "Policy", "PortModel",
                "Ruleset", logging,
            ],
            swiftSettings: strict),
        .testTarget(name: "MetricsTests", dependencies: ["Metrics"], swiftSettings: strict),
        .testTarget(
            name: "DisplayTests",
            dependencies: [
                "Deployment", "Display", "Enforcement", "Policy", "PortModel", "Ruleset",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "DrawingTests",
            dependencies: [
                "Deployment", "DeploymentGenerator", "Drawing", "Policy", "PortModel", "Ruleset",
            ],
            exclude: ["Golden"], swiftSettings: strict),
        .testTarget(
            name: "AuditingTests",
            dependencies: [
                "Auditing", "Deployment", "Drawing", "Enforcement", "PortModel", "Ruleset",
                "TestSupport",
            ],
            exclude: ["browser.py"], swiftSettings: strict),
        .testTarget(
            name: "DoctorTests",
            dependencies: ["Deployment", "Doctor", "Enforcement", "PortModel", "Ruleset"],
            swiftSettings: strict),
        .testTarget(
            name: "ManualTests",
            dependencies: [
                "Deployment", "Enforcement", "PortModel", "Ruleset", "TestSupport", "pexip-fwctl",
                "pexip-fwd",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "LinuxSystemTests",
            dependencies: ["LinuxSystem", "TestSupport", logging, system], swiftSettings: strict),
        .testTarget(name: "JSONValueTests", dependencies: ["JSONValue"], swiftSettings: strict),
        .testTarget(
            name: "ControlTests",
            dependencies: ["Control", "JSONValue", "LinuxSystem", logging, system],
            exclude: ["varlink_client.py"], swiftSettings: strict),
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
                "Authoring", "Control", "Deployment", "Doctor", "Enforcement", "JSONValue",
                "LinuxSystem", "Nftables", "Policy", "PortModel", "Ruleset",
            ],
            path: "Tests/Fuzzing", exclude: ["Corpus", "Dictionaries"], swiftSettings: strict))
}
