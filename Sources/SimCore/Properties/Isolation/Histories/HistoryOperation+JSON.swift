extension HistoryOperation {
    /// The operation as Jepsen's JSON form has it, on one line:
    /// `{"process":0,"type":"ok","value":[["append",3,2],["r",4,[1,2]]],"index":5,"time":123456}`.
    public var jsonLine: String {
        let steps = value.map(\.jsonText).joined(separator: ",")
        return
            #"{"process":\#(process),"type":"\#(kind.rawValue)","value":[\#(steps)],"index":\#(index),"time":\#(time)}"#
    }
}

extension ListOperation {
    fileprivate var jsonText: String {
        switch self {
        case .append(let key, let element): #"["append",\#(key),\#(element)]"#
        case .read(let key, nil): #"["r",\#(key),null]"#
        case .read(let key, let elements?):
            #"["r",\#(key),[\#(elements.map(String.init).joined(separator: ","))]]"#
        }
    }
}
