/// Finds what is wrong with reads by themselves, without any cycle: only reads of transactions that committed are judged.
struct ReadAnomalies {
    let versions: ListVersions

    /// Linear in the history, reads included.
    func collect(into collection: inout AnomalyCollection) {
        let intermediates = intermediateAppends()
        for (index, transaction) in versions.transactions.enumerated() where transaction.outcome == .committed {
            for case .read(let key, let elements?) in transaction.operations {
                let read = Read(reader: transaction, readerIndex: index, key: key, elements: elements)
                checkWriters(read, &collection)
                checkDuplicates(read, &collection)
                checkIntermediate(read, intermediates, &collection)
                checkOrder(read, &collection)
            }
            checkOwnReads(transaction, &collection)
            checkFutureReads(transaction, &collection)
        }
    }

    private struct Read {
        let reader: HistoryTransaction
        let readerIndex: Int
        let key: Int64
        let elements: [Int64]
    }

    /// Appends after which the same transaction appended to the same list once more.
    private func intermediateAppends() -> Set<ListElement> {
        var intermediates: Set<ListElement> = []
        for transaction in versions.transactions where transaction.operations.count > 1 {
            var latest: [Int64: Int64] = [:]
            for case .append(let key, let element) in transaction.operations {
                if let earlier = latest.updateValue(element, forKey: key) {
                    intermediates.insert(ListElement(key: key, element: earlier))
                }
            }
        }
        return intermediates
    }

    private func checkWriters(_ read: Read, _ collection: inout AnomalyCollection) {
        for element in read.elements {
            guard let writer = versions.writer(element, of: read.key) else {
                collection.add(
                    Anomaly(
                        .garbageRead, [read.reader],
                        "\(read.reader.name) read \(element) in list \(read.key), which nobody appended"))
                continue
            }
            let transaction = versions.transactions[writer]
            guard transaction.outcome == .aborted else { continue }
            collection.add(
                Anomaly(
                    .g1a, [read.reader, transaction],
                    "\(read.reader.name) read \(element) in list \(read.key), which \(transaction.name) appended and which was rolled back"
                ))
        }
    }

    private func checkDuplicates(_ read: Read, _ collection: inout AnomalyCollection) {
        var seen: Set<Int64> = []
        for element in read.elements where !seen.insert(element).inserted {
            collection.add(
                Anomaly(
                    .duplicateElements, [read.reader],
                    "\(read.reader.name) read \(read.elements) from list \(read.key), with \(element) twice"))
        }
    }

    private func checkIntermediate(
        _ read: Read, _ intermediates: Set<ListElement>, _ collection: inout AnomalyCollection
    ) {
        guard let last = read.elements.last, intermediates.contains(ListElement(key: read.key, element: last)),
            let writer = versions.writer(last, of: read.key), writer != read.readerIndex
        else { return }
        let transaction = versions.transactions[writer]
        collection.add(
            Anomaly(
                .g1b, [read.reader, transaction],
                "\(read.reader.name) read list \(read.key) up to \(last), which was not \(transaction.name)'s last append to it"
            ))
    }

    private func checkOrder(_ read: Read, _ collection: inout AnomalyCollection) {
        guard let longest = versions.longestReads[versions.keyIndex(read.key)],
            !longest.elements.starts(with: read.elements)
        else { return }
        let other = versions.transactions[longest.reader]
        collection.add(
            Anomaly(
                .incompatibleOrder, [read.reader, other],
                "\(read.reader.name) read \(read.elements) from list \(read.key), \(other.name) read \(longest.elements): neither grew from the other"
            ))
    }

    /// What a transaction read against what it had read and appended itself.
    private func checkOwnReads(_ transaction: HistoryTransaction, _ collection: inout AnomalyCollection) {
        guard transaction.operations.count > 1 else { return }
        /// The last state read of each list, and what the transaction appended since.
        var known: [Int64: (read: [Int64]?, appended: [Int64])] = [:]
        for operation in transaction.operations {
            switch operation {
            case .append(let key, let element): known[key, default: (nil, [])].appended.append(element)
            case .read(let key, let elements):
                guard let elements else { continue }
                if let (earlier, appended) = known[key] {
                    check(transaction, key, elements, earlier: earlier, appended: appended, &collection)
                }
                known[key] = (elements, [])
            }
        }
    }

    private func check(
        _ transaction: HistoryTransaction, _ key: Int64, _ elements: [Int64], earlier: [Int64]?, appended: [Int64],
        _ collection: inout AnomalyCollection
    ) {
        let hasOwn = elements.suffix(appended.count).elementsEqual(appended)
        guard let earlier else {
            if !hasOwn {
                collection.add(
                    Anomaly(
                        .internalInconsistency, [transaction],
                        "\(transaction.name) read \(elements) from list \(key), to which it had appended \(appended)"))
            }
            return
        }
        if elements == earlier + appended { return }
        let hasGrown = elements.starts(with: earlier) && hasOwn && elements.count > earlier.count + appended.count
        let own = appended.isEmpty ? "" : " and appended \(appended)"
        collection.add(
            Anomaly(
                hasGrown ? .nonRepeatableRead : .internalInconsistency, [transaction],
                "\(transaction.name) read \(elements) from list \(key), of which it had read \(earlier)\(own) before"))
    }

    private func checkFutureReads(_ transaction: HistoryTransaction, _ collection: inout AnomalyCollection) {
        guard transaction.operations.count > 1 else { return }
        var read: Set<ListElement> = []
        for operation in transaction.operations {
            switch operation {
            case .read(let key, let elements):
                for element in elements ?? [] { read.insert(ListElement(key: key, element: element)) }
            case .append(let key, let element):
                guard read.contains(ListElement(key: key, element: element)) else { continue }
                collection.add(
                    Anomaly(
                        .futureRead, [transaction],
                        "\(transaction.name) read \(element) in list \(key) before it appended it"))
            }
        }
    }
}
