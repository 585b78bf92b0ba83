// swift-tools-version: 6.2
import PackageDescription

// What `.ci/run` asks for: a warning fails the build, in the same products that its other steps use.
let strictness: [SwiftSetting] =
    Context.environment["REHEARSAL_STRICT"] == nil ? [] : [.treatAllWarnings(as: .error)]

// One place for the language settings of every target.
let settings: [SwiftSetting] =
    strictness + [
        .swiftLanguageMode(.v6),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        // An async function runs on its caller's executor: nothing hops off a simulation's own executor by accident.
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    ]

let production: TargetDependencyCondition? = .when(traits: ["Production"])

let package = Package(
    name: "Rehearsal",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "Ports", targets: ["Ports"]),
        .library(name: "SimCore", targets: ["SimCore"]),
        .library(name: "Outbox", targets: ["Outbox"]),
        .executable(name: "simulate", targets: ["simulate"]),
        .executable(name: "commerce", targets: ["commerce"]),
    ],
    traits: [
        .trait(
            name: "Production",
            description: "Adapters for real servers: links Debian's libpq, librdkafka and libmicrohttpd."),
        .default(enabledTraits: []),
    ],
    targets: [
        .target(name: "Ports", swiftSettings: settings),
        .target(name: "SimCore", dependencies: ["Ports"], swiftSettings: settings),
        .target(name: "Outbox", dependencies: ["Ports"], swiftSettings: settings),
        .target(name: "Domain", dependencies: ["Ports", "Outbox"], swiftSettings: settings),

        // Production adapters. With the trait off they are empty, and no C library is looked for.
        .systemLibrary(name: "Clibpq", path: "Sources/Adapters/Clibpq", pkgConfig: "libpq"),
        .systemLibrary(name: "Crdkafka", path: "Sources/Adapters/Crdkafka", pkgConfig: "rdkafka"),
        .systemLibrary(name: "Cmicrohttpd", path: "Sources/Adapters/Cmicrohttpd", pkgConfig: "libmicrohttpd"),
        .target(name: "AdapterJSON", dependencies: ["Ports"], path: "Sources/Adapters/JSON", swiftSettings: settings),
        // The operating system: clock, ids, log, threads and sockets. Needs no library, so it is there without the trait.
        .systemLibrary(name: "Cepoll", path: "Sources/Adapters/Cepoll"),
        .target(
            name: "AdapterSystem",
            dependencies: ["Ports", "AdapterJSON", .target(name: "Cepoll", condition: .when(platforms: [.linux]))],
            path: "Sources/Adapters/System", swiftSettings: settings),
        .target(
            name: "AdapterPostgres",
            dependencies: [
                "Ports", "AdapterJSON", "AdapterSystem", .target(name: "Clibpq", condition: production),
            ],
            path: "Sources/Adapters/Postgres", swiftSettings: settings),
        .target(
            name: "AdapterKafka",
            dependencies: [
                "Ports", "AdapterJSON", "AdapterSystem",
                .target(name: "Cepoll", condition: .when(platforms: [.linux])),
                .target(name: "Crdkafka", condition: production),
            ],
            path: "Sources/Adapters/Kafka", swiftSettings: settings),
        .target(
            name: "AdapterHTTP",
            dependencies: [
                "Ports", "AdapterJSON", "AdapterSystem", .target(name: "Cmicrohttpd", condition: production),
            ],
            path: "Sources/Adapters/HTTP", swiftSettings: settings),
        // The payment provider's own protocol, on any HTTP client.
        .target(
            name: "AdapterGateway", dependencies: ["Ports"], path: "Sources/Adapters/Gateway", swiftSettings: settings),
        .executableTarget(
            name: "commerce",
            dependencies: [
                "Ports", "Outbox", "Domain", "SimCore", "AdapterJSON", "AdapterSystem", "AdapterPostgres",
                "AdapterKafka", "AdapterHTTP", "AdapterGateway", "Workloads",
            ],
            path: "Sources/Commerce", swiftSettings: settings),

        // Purchase logs: the real one, and what reads any.
        .target(
            name: "Workloads", path: "Simulations/Workloads", exclude: ["README.md"], resources: [.copy("cdnow.txt")],
            swiftSettings: settings),
        // The testbed: the shop and SimCore wired together.
        .target(
            name: "Testbed", dependencies: ["Ports", "SimCore", "Outbox", "Domain", "Workloads", "AdapterGateway"],
            path: "Simulations/Testbed",
            swiftSettings: settings),
        // A system that is not the shop: what the README and the articles quote.
        .target(
            name: "Examples", dependencies: ["Ports", "SimCore"], path: "Simulations/Examples", swiftSettings: settings),
        .executableTarget(
            name: "simulate", dependencies: ["Ports", "SimCore", "Domain", "Testbed", "Examples", "Workloads"],
            path: "Simulations/Simulate",
            swiftSettings: settings),

        .testTarget(name: "PortsTests", dependencies: ["Ports"], swiftSettings: settings),
        // Counts what a thread allocates: for tests of code that must not.
        .target(name: "AllocationCounter", path: "Tests/AllocationCounter"),
        .testTarget(
            name: "SimCoreTests", dependencies: ["Ports", "SimCore", "AllocationCounter"], swiftSettings: settings),
        .testTarget(name: "WorkloadsTests", dependencies: ["SimCore", "Workloads"], swiftSettings: settings),
        .testTarget(name: "ExamplesTests", dependencies: ["Ports", "SimCore", "Examples"], swiftSettings: settings),
        // The command as a user runs it, and what the documents say that it prints.
        .testTarget(
            name: "SimulateTests", dependencies: ["simulate", "SimCore", "Examples"], swiftSettings: settings),
        .testTarget(name: "PostgresTests", dependencies: ["Ports", "SimCore"], swiftSettings: settings),
        .testTarget(name: "KafkaTests", dependencies: ["Ports", "SimCore"], swiftSettings: settings),
        // The ports in memory, one call at a time: for tests of what is built on them.
        .target(name: "PortFakes", dependencies: ["Ports"], path: "Tests/PortFakes", swiftSettings: settings),
        .testTarget(
            name: "OutboxTests", dependencies: ["Ports", "Outbox", "SimCore", "PortFakes"], swiftSettings: settings),
        .testTarget(
            name: "DomainTests", dependencies: ["Ports", "SimCore", "Outbox", "Domain", "PortFakes"],
            swiftSettings: settings),
        .testTarget(
            name: "TestbedTests", dependencies: ["Ports", "SimCore", "Outbox", "Domain", "Testbed", "Workloads"],
            swiftSettings: settings),
        .testTarget(
            name: "CommerceTests",
            dependencies: ["commerce", "Ports", "Outbox", "Domain", "AdapterSystem", "AdapterGateway", "AdapterHTTP"],
            swiftSettings: settings),
        .testTarget(
            name: "ContractTests",
            dependencies: [
                "Ports", "SimCore", "Testbed", "AdapterJSON", "AdapterSystem", "AdapterPostgres", "AdapterKafka",
                "AdapterHTTP",
            ],
            path: "Tests/Contract", exclude: ["Debezium/recorded.json"], swiftSettings: settings),
    ]
)
