/// What reads reveal of each list: the order in which its elements were appended, and by whom.
///
/// A list only grows, so every state of it is a prefix of the longest state that was read, and that one read gives the whole
/// order up to it. An append that nobody read came after all that were.
struct ListVersions {
    let transactions: [HistoryTransaction]
    /// The lists, in order of first mention.
    private(set) var keys: [Int64] = []
    /// For each list its elements in the order of their appends, each once, without what no transaction that may have
    /// committed appended.
    private(set) var orders: [[Int64]] = []
    /// For each list its appends that no read saw, by transactions that may have committed.
    private(set) var unobservedAppends: [[(element: Int64, writer: Int)]] = []
    /// For each list the longest read of it, by position of the reader.
    private(set) var longestReads: [(reader: Int, elements: [Int64])?] = []
    private var keyIndexes: [Int64: Int] = [:]
    private var writers: [ListElement: Int] = [:]
    private var positions: [ListElement: Int] = [:]

    /// Linear in the history, reads included.
    init(_ transactions: [HistoryTransaction]) {
        self.transactions = transactions
        for (index, transaction) in transactions.enumerated() {
            for operation in transaction.operations { register(operation, of: index) }
        }
        orderElements()
        collectUnobservedAppends()
    }

    /// Position of a list in ``keys`` and ``orders``.
    func keyIndex(_ key: Int64) -> Int { keyIndexes[key]! }

    /// The transaction that appended an element, whatever became of it; `nil` when none did.
    func writer(_ element: Int64, of key: Int64) -> Int? { writers[ListElement(key: key, element: element)] }

    /// Where an element stands in the order of its list; `nil` when it is not in it.
    func position(_ element: Int64, of key: Int64) -> Int? { positions[ListElement(key: key, element: element)] }

    /// The transaction that appended an element, unless it is known to have aborted.
    func installer(_ element: Int64, of key: Int64) -> Int? {
        guard let writer = writer(element, of: key), transactions[writer].outcome != .aborted else { return nil }
        return writer
    }

    private mutating func register(_ operation: ListOperation, of transaction: Int) {
        let key = operation.key
        if keyIndexes[key] == nil {
            keyIndexes[key] = keys.count
            keys.append(key)
            orders.append([])
            unobservedAppends.append([])
            longestReads.append(nil)
        }
        switch operation {
        case .append(_, let element): writers[ListElement(key: key, element: element)] = transaction
        case .read(_, let elements):
            guard let elements else { return }
            let list = keyIndexes[key]!
            if elements.count > longestReads[list]?.elements.count ?? -1 {
                longestReads[list] = (transaction, elements)
            }
        }
    }

    private mutating func orderElements() {
        for list in keys.indices {
            for element in longestReads[list]?.elements ?? [] where installer(element, of: keys[list]) != nil {
                let listElement = ListElement(key: keys[list], element: element)
                guard positions[listElement] == nil else { continue }
                positions[listElement] = orders[list].count
                orders[list].append(element)
            }
        }
    }

    private mutating func collectUnobservedAppends() {
        let contested = contestedElements()
        for (index, transaction) in transactions.enumerated() where transaction.outcome != .aborted {
            for case .append(let key, let element) in transaction.operations {
                let listElement = ListElement(key: key, element: element)
                guard positions[listElement] == nil, !contested.contains(listElement) else { continue }
                unobservedAppends[keyIndexes[key]!].append((element, index))
            }
        }
    }

    /// Elements that some read saw and the longest read did not: their place is not known, so nothing is concluded from them.
    private func contestedElements() -> Set<ListElement> {
        var contested: Set<ListElement> = []
        for transaction in transactions {
            for case .read(let key, let elements?) in transaction.operations {
                for element in elements where position(element, of: key) == nil {
                    contested.insert(ListElement(key: key, element: element))
                }
            }
        }
        return contested
    }
}
