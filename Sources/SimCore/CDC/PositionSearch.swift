import Ports

/// Finds where a restarted connector goes on in what the slot hands out again.
///
/// A stored offset names an event in the middle of a transaction, and slots hand out whole ones: the connector reads until
/// it knows where it was, and leaves out what lies before. What stands at one LSN is taken or left as a whole.
///
/// Source: debezium, `WalPositionLocator`.
struct PositionSearch: Hashable, Sendable {
    enum Message: Hashable, Sendable {
        case begin(LSN)
        case change(LSN)
        case commit(LSN)

        var lsn: LSN {
            switch self {
            case .begin(let lsn), .change(let lsn), .commit(let lsn): lsn
            }
        }
    }

    private let lastCommit: LSN?
    private let lastEvent: LSN
    /// The last message that was processed began or ended a transaction, or is not known.
    private let stoppedBetweenTransactions: Bool
    private var firstReceived: LSN?
    private var transactionStart: LSN?
    private var nextIsAfterLastEvent = false

    init(lastCommit: LSN?, lastEvent: LSN, lastMessageType: String?) {
        self.lastCommit = lastCommit
        self.lastEvent = lastEvent
        stoppedBetweenTransactions = lastMessageType == nil || lastMessageType == "BEGIN" || lastMessageType == "COMMIT"
    }

    /// Looks at the next message.
    ///
    /// - Returns: the LSN to go on from, once it is known.
    mutating func look(at message: Message) -> LSN? {
        let lsn = message.lsn
        let first = firstReceived ?? lsn
        firstReceived = first
        if nextIsAfterLastEvent {
            // BEGIN and the first change have the same LSN.
            if lsn == lastEvent { return stoppedBetweenTransactions ? transactionStart : nil }
            nextIsAfterLastEvent = false
            return lsn
        }
        if lsn == lastEvent { nextIsAfterLastEvent = true }
        guard let lastCommit else { return first }
        switch message {
        case .begin: transactionStart = lsn
        case .commit: if lsn > lastCommit { return transactionStart ?? first }
        case .change: break
        }
        return nil
    }
}
