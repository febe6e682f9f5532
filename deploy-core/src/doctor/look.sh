# What a recipe's question found out, as a fact that bears its number.
look_ok() { deploy_fact "look_$look" "ok $1"; }
look_warning() { deploy_fact "look_$look" "warning $1"; }
look_problem() { deploy_fact "look_$look" "problem $1"; }
