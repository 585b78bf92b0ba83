import Domain
import Ports
import SimCore

/// What a run has lost of what was committed or acknowledged, where its scenario allows that: proven by those who lost it,
/// counted, and taken into account when the orders concerned are judged.
struct ShopLosses {
    /// Records of the log that were committed and are gone.
    var recordCount: Int64 = 0
    /// Transactions that were durable and are gone.
    var commitCount: Int64 = 0
}

extension ShopWorld {
    /// Has the parts that can lose something tell the observer.
    func watchLosses() {
        kafka.onLostRecords = { [unowned observer] in observer.observeLoss(of: $1, in: $0) }
        for name in Self.serviceNames {
            let service = ShopServiceName.allCases.first { $0.name == name }!
            databases[name]!.onLostCommits = { [unowned observer] in observer.observeLoss(of: $0, at: service) }
        }
    }

    /// Customers whose order cannot be finished any more, since something of it is lost.
    var lostVisitCount: Int {
        memory.openOrders.count { observer.judge.ordersWithLosses.contains($0) }
    }
}
