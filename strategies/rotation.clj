;; Rotation by relative strength.
;;
;; Each sector is a group that holds its own strongest member. Groups are
;; ranked by the return that holding them would have brought over half a year,
;; and the best two share the money, next to the strongest factor.
(defsymphony "Rotation" {:rebalance-frequency :daily}
  (weight-specified
    70 (filter (cumulative-return {:window 126}) (select-top 2)
         [(group "technology"
            (filter (moving-average-return {:window 60}) (select-top 1) ["AAPL" "MSFT" "AMD"]))
          (group "health"
            (filter (moving-average-return {:window 60}) (select-top 1)
              ["UNH" "LLY" "MRK" "PFE" "JNJ"]))
          (group "finance"
            (filter (moving-average-return {:window 60}) (select-top 1) ["JPM" "BAC"]))
          (group "energy"
            (filter (moving-average-return {:window 60}) (select-top 1) ["XOM" "CVX" "RRC"]))
          (group "shops"
            (filter (moving-average-return {:window 60}) (select-top 1) ["WMT" "HD" "BBY"]))])
    30 (filter (cumulative-return {:window 60}) (select-top 1)
         ["MTUM" "QUAL" "SIZE" "USMV" "VLUE"])))
