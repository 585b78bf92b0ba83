import Ports
import SimCore
import Workloads

/// When each order of a purchase log arrives: the log's days compressed onto virtual time, orders of a day spread over it.
struct ArrivalSchedule: Sendable {
    struct Arrival: Sendable {
        let at: Nanoseconds
        // Four bytes each: the whole schedule is kept, and a run may have a million orders.
        let pieceCount: Int32
        /// Position in the run, from zero.
        let number: Int32
    }

    let arrivals: [Arrival]

    /// Takes `count` orders of the log, from a place drawn from the seed when there are more; a log that is shorter is gone
    /// through again.
    ///
    /// - Parameter spacing: the mean span between two orders; the log's own days decide how they bunch.
    init(
        _ purchases: [Purchase], count: Int, spacing: Nanoseconds, from start: Nanoseconds, decisions: inout Decisions
    ) {
        let stream = decisions.stream("workload")
        let offset =
            purchases.count > count ? Int(decisions.draw(stream, below: UInt64(purchases.count - count + 1))) : 0
        let chosen = (0..<count).map { purchases[(offset + $0) % purchases.count] }
        // Orders of one day follow each other within that day; days are as long as their share of the whole span.
        let days = chosen.map(\.day).sorted()
        let firstDay = Int64(days[0])
        let dayCount = Int64(days[days.count - 1]) - firstDay + 1
        let dayLength = max(1, spacing.rawValue * Int64(count) / dayCount)
        var arrivals = chosen.map { purchase in
            let day = (Int64(purchase.day) - firstDay) * dayLength
            let within = Int64(decisions.draw(stream, below: UInt64(dayLength)))
            return (at: start + Nanoseconds(day + within), pieceCount: purchase.pieceCount)
        }
        arrivals.sort { $0.at < $1.at }
        self.arrivals = arrivals.enumerated().map {
            Arrival(at: $0.element.at, pieceCount: $0.element.pieceCount, number: Int32($0.offset))
        }
    }
}
