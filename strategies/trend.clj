;; Trend with a way out.
;;
;; While the market stands above its 200-day average, hold what leads it, but
;; lean towards the quiet factors when the rise has become hot. Below the
;; average, hold what people keep buying in bad times.
;;
;; SP500 is an index: it can be looked at, not held.
(defsymphony "Trend" {:rebalance-frequency :daily}
  (if (> (current-price "SP500") (moving-average-price "SP500" {:window 200}))

    (if (> (rsi "SP500" {:window 10}) 78)
      ;; Stretched: half of it steps aside.
      (group "hot"
        (weight-specified 50 (asset "USMV" "minimum volatility") 50 (asset "QUAL" "quality")))
      (group "rising"
        (weight-equal
          (asset "MTUM" "momentum")
          (asset "QUAL" "quality")
          ;; The two large companies that have risen most in a quarter.
          (filter (cumulative-return {:window 63}) (select-top 2)
            ["AAPL" "MSFT" "UNH" "HD" "JPM"]))))

    (if (< (rsi "SP500" {:window 5}) 20)
      ;; So low that a rebound is likelier than the next fall.
      (group "washed out" (weight-equal "QUAL" "USMV" "JNJ"))
      (group "falling" (weight-inverse-volatility 40 "KO" "PG" "JNJ" "PEP" "WMT")))))
