;; Balance: everything carries about the same risk.
;;
;; Shares are inverse to volatility, first within each sleeve and then between
;; the sleeves, which are measured by their own returns. A sleeve that has
;; become wild shrinks without anybody forecasting anything.
(defsymphony "Balance" {:rebalance-frequency :daily}
  (weight-inverse-volatility 60
    (group "staples" (weight-inverse-volatility 60 "KO" "PEP" "PG" "WMT"))
    (group "health" (weight-inverse-volatility 60 "JNJ" "MRK" "LLY" "PFE"))
    (group "cyclical" (weight-inverse-volatility 60 "JPM" "HD" "GE" "CVX"))
    (group "factors" (weight-inverse-volatility 60 "QUAL" "VLUE" "SIZE" "USMV"))
    ;; Momentum takes part while its worst fall in a quarter stays bearable.
    (if (< (max-drawdown "MTUM" {:window 63}) 12)
      (asset "MTUM" "momentum")
      (asset "USMV" "minimum volatility"))))
