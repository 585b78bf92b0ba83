/// Where the stock of an order is.
public enum ReservationStatus: String, Hashable, Sendable, CaseIterable {
    case reserved = "RESERVED"
    case committed = "COMMITTED"
    /// Given back, or a tombstone: released before it was reserved.
    case released = "RELEASED"
    /// Refused: stock was short, or the price had changed.
    case failed = "FAILED"
}

/// What can happen to a reservation.
public enum ReservationInput: Hashable, Sendable {
    /// The order wants this revision of its items held.
    case reserve(revision: Int64)
    /// The order is paid.
    case commit
    /// The order is cancelled or failed.
    case release
}

/// What is to be done with the stock.
public enum ReservationAction: Hashable, Sendable {
    /// Give back what an earlier revision holds, if anything, and hold the new lines; refused when stock is short.
    case reserve(givingBackEarlier: Bool)
    /// The order will never come to need stock: say so, and hold nothing.
    case refuse(reason: String)
    /// Reserved pieces become committed.
    case commit
    /// Reserved pieces become available again.
    case releaseReserved
    /// Committed pieces become available again: a paid order was cancelled before its goods left.
    case releaseCommitted
    /// Remember that the reservation, when it comes, is to be refused.
    case leaveTombstone
}

/// The reservation's state machine.
public enum ReservationStateMachine {
    /// Decides what an input does to a reservation, `nil` when the order has none.
    ///
    /// - Parameters:
    ///   - revision: of the reservation there is; 0 without one.
    ///   - isGuarded: false plants the mistake of not asking from which state a step starts.
    public static func action(
        _ status: ReservationStatus?, revision: Int64, on input: ReservationInput, isGuarded: Bool = true
    ) -> Result<ReservationAction, NotApplicable> {
        switch (input, status) {
        case (.reserve, nil): return .success(.reserve(givingBackEarlier: false))
        case (.reserve(let wanted), .reserved?) where wanted > revision || !isGuarded:
            return .success(.reserve(givingBackEarlier: true))
        case (.reserve(let wanted), .failed?) where wanted > revision || !isGuarded:
            return .success(.reserve(givingBackEarlier: false))
        case (.reserve(let wanted), .reserved?), (.reserve(let wanted), .failed?):
            return .failure(NotApplicable("revision \(wanted) is not newer than \(revision)"))
        case (.reserve, .released?):
            return isGuarded
                ? .success(.refuse(reason: "the order was cancelled")) : .success(.reserve(givingBackEarlier: false))
        case (.commit, .reserved?): return .success(.commit)
        case (.commit, nil): return .failure(NotApplicable("no such reservation, or archived"))
        case (.release, nil): return .success(.leaveTombstone)
        case (.release, .reserved?): return .success(.releaseReserved)
        case (.release, .committed?): return .success(.releaseCommitted)
        case (.reserve, .committed?), (.commit, .committed?), (.commit, .released?), (.commit, .failed?),
            (.release, .released?), (.release, .failed?):
            return .failure(NotApplicable(status?.rawValue ?? "none"))
        }
    }
}
