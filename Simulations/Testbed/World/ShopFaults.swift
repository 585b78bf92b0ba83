import Ports
import SimCore

/// A group of faults that a scenario of the shop may draw.
package enum ShopFaults: String, Sendable, CaseIterable {
    /// Processes of the shop's own services and relays: crashes, pauses, clocks.
    case services
    case kafka
    case postgres
    case network
    case gateway

    private static let serviceProcesses =
        ShopWorld.serviceNames + ["cdc-order", "cdc-payment", "cdc-inventory", "cdc-shipping"]
    private static let databaseProcesses = ShopWorld.serviceNames.map { "postgres-\($0)" }

    func entries(brokers: [String]) -> [FaultPlan.Entry] {
        switch self {
        case .services:
            [
                .init("crash", pool: Self.serviceProcesses), .init("pause", pool: Self.serviceProcesses),
                // A deadline that was set by a clock an hour ahead comes due an hour late, whatever the protocol does; what is
                // to finish within the liveness bound must not wait for that.
                .init("clock-jump", pool: Self.serviceProcesses, parameterRanges: ["by": -60_000...60_000]),
                .init("clock-drift", pool: Self.serviceProcesses),
            ]
        case .kafka:
            [
                .init("crash", pool: brokers), .init("pause", pool: brokers), .init("host-crash", pool: [brokers[0]]),
                .init("stop", pool: brokers), .init("crash", pool: ["kafka-controller"]),
                .init("slow-disk", pool: brokers),
            ]
        case .postgres:
            [
                .init("crash", pool: Self.databaseProcesses), .init("pause", pool: Self.databaseProcesses),
                .init("host-crash", pool: Self.databaseProcesses), .init("slow-disk", pool: Self.databaseProcesses),
                .init("failed-fsync", pool: Self.databaseProcesses),
            ]
        case .network:
            [
                .init("partition", pool: brokers + Self.serviceProcesses + Self.databaseProcesses, targetCountLimit: 2),
                .init("partition-one-way", pool: brokers + Self.serviceProcesses + Self.databaseProcesses),
                .init("flapping", pool: brokers + Self.serviceProcesses),
                .init("clog", pool: Self.serviceProcesses + Self.databaseProcesses),
                .init("loss", pool: Self.serviceProcesses + brokers, targetCountLimit: 3),
                .init("slow-node", pool: Self.serviceProcesses + brokers + Self.databaseProcesses),
                .init(
                    "connection-reset", pool: Self.serviceProcesses + brokers + Self.databaseProcesses,
                    targetCountLimit: 2),
                .init(
                    "apply-then-fail", pool: Self.serviceProcesses + brokers + Self.databaseProcesses,
                    targetCountLimit: 2),
            ]
        case .gateway:
            [
                .init("gateway-timeout-with-effect"), .init("gateway-duplicate-callback"), .init("gateway-refusals"),
                .init("crash", pool: ["gateway"]),
            ]
        }
    }
}
