# Counterparts of spineclock.stats.diagnosis: reads data.csv, writes r.json. Run in this folder.
suppressMessages({library(pROC); library(sandwich); library(jsonlite)})
d <- read.csv("data.csv")
d <- d[complete.cases(d), ]
out <- list()

# --- areas, each row taken as another person
one <- function(score) roc(d$ill, d[[score]], direction = "<", levels = c(0, 1), quiet = TRUE)
for (s in c("spine_age", "age", "risk")) {
  ci <- as.numeric(ci.auc(one(s), method = "delong"))
  out$area[[s]] <- list(value = ci[2], low = ci[1], high = ci[3], se = sqrt(as.numeric(var(one(s), method = "delong"))))
}
for (s in c("age", "risk")) {
  test <- roc.test(one("spine_age"), one(s), method = "delong", paired = TRUE)
  out$difference[[s]] <- list(value = as.numeric(diff(rev(test$estimate))), p = test$p.value, low = test$conf.int[1],
    high = test$conf.int[2])
}

# --- Obuchowski's (1997) clustered covariance, pair by pair
kernel <- function(x) {
  p <- x[d$ill == 1]; q <- x[d$ill == 0]
  k <- outer(p, q, ">") + 0.5 * outer(p, q, "==")
  list(auc = mean(k), v10 = rowMeans(k), v01 = colMeans(k))
}
who <- factor(d$person_id)
clustered <- function(a, b) {
  fit <- lapply(list(a, b), function(s) kernel(d[[s]]))
  m <- sum(d$ill == 1); n <- sum(d$ill == 0)
  P <- sapply(fit, function(f) tapply(f$v10 - f$auc, who[d$ill == 1], sum, default = 0))
  Q <- sapply(fit, function(f) tapply(f$v01 - f$auc, who[d$ill == 0], sum, default = 0))
  i10 <- length(unique(who[d$ill == 1])); i01 <- length(unique(who[d$ill == 0])); i <- length(unique(who))
  i10 / (i10 - 1) * crossprod(P) / m^2 + i01 / (i01 - 1) * crossprod(Q) / n^2 +
    i / (i - 1) * (crossprod(P, Q) + crossprod(Q, P)) / (m * n)
}
out$clustered <- list(cov = as.numeric(clustered("spine_age", "age")))

# --- Youden on validation, its yield on test
v <- d[d$split == "validation", ]; t <- d[d$split == "test", ]
best <- coords(roc(v$ill, v$risk, direction = "<", levels = c(0, 1), quiet = TRUE), "best", best.method = "youden",
  ret = c("threshold", "sensitivity", "specificity"))
out$youden <- as.list(best[1, ])
called <- t$risk > best$threshold[1]
exact <- function(x, n) { b <- binom.test(x, n); c(x / n, b$conf.int) }
wilson <- function(x, n) { b <- prop.test(x, n, correct = FALSE); c(x / n, b$conf.int) }
counts <- list(c(sum(called & t$ill), sum(t$ill)), c(sum(!called & !t$ill), sum(!t$ill)), c(sum(called & t$ill), sum(called)),
  c(sum(!called & !t$ill), sum(!called)), c(sum(called == t$ill), nrow(t)))
out$yield <- list(exact = lapply(counts, function(k) exact(k[1], k[2])), wilson = lapply(counts, function(k) wilson(k[1], k[2])))

# --- calibration, clustered by person
d$logit <- qlogis(d$risk)
slope <- glm(ill ~ logit, binomial, d, control = glm.control(epsilon = 1e-14))
large <- glm(ill ~ 1 + offset(logit), binomial, d, control = glm.control(epsilon = 1e-14))
robust <- function(fit) sqrt(diag(vcovCL(fit, cluster = d$person_id, type = "HC0", cadjust = TRUE)))
out$calibration <- list(slope = unname(coef(slope)), slope_se = unname(robust(slope)), large = unname(coef(large)),
  large_se = unname(robust(large)))
mean_of <- function(x) { fit <- lm(x ~ 1); c(coef(fit), robust(fit)) }
out$brier <- unname(mean_of((d$ill - d$risk)^2))
out$difference_of_shares <- unname(mean_of(d$ill - d$risk))
prevalence <- mean(d$ill)
out$scaled <- 1 - mean((d$ill - d$risk)^2) / (prevalence * (1 - prevalence))

# --- net benefit
out$net_benefit <- lapply(c(0.1, 0.3), function(t) {
  gain <- ifelse(d$risk >= t, ifelse(d$ill == 1, 1, -t / (1 - t)), 0)
  all <- ifelse(d$ill == 1, 1, -t / (1 - t))
  list(model = unname(mean_of(gain)), all = unname(mean_of(all)), gain = unname(mean_of(gain - all)))
})
# --- predictive values at a stated prevalence: numerical delta method on the two rates' logits, fitted by glm
rate <- function(x) { fit <- glm(x ~ 1, binomial, control = glm.control(epsilon = 1e-14)); c(coef(fit), vcov(fit)) }
se <- rate(called[t$ill == 1]); sp <- rate(!called[t$ill == 0])
at <- function(prevalence) {
  value <- list(
    function(b) plogis(b[1]) * prevalence / (plogis(b[1]) * prevalence + plogis(-b[2]) * (1 - prevalence)),
    function(b) plogis(b[2]) * (1 - prevalence) / (plogis(b[2]) * (1 - prevalence) + plogis(-b[1]) * prevalence))
  lapply(value, function(f) {
    b <- unname(c(se[1], sp[1])); h <- 1e-5
    slope <- sapply(1:2, function(i) { e <- h * (1:2 == i); (qlogis(f(b + e)) - qlogis(f(b - e))) / (2 * h) })
    half <- qnorm(0.975) * sqrt(sum(slope^2 * c(se[2], sp[2])))
    c(f(b), plogis(qlogis(f(b)) + c(-1, 1) * half))
  })
}
out$predictive <- list(at(0.05), at(0.3))

# --- two scores, each called above its own threshold: McNemar on the test rows, and clustered by person
threshold <- function(score) coords(roc(v$ill, v[[score]], direction = "<", levels = c(0, 1), quiet = TRUE), "best",
  best.method = "youden", ret = "threshold")[1, 1]
right <- sapply(c("risk", "age"), function(s) (t[[s]] > threshold(s)) == (t$ill == 1))
out$mcnemar <- lapply(list(t$ill == 1, t$ill == 0), function(among) {
  r <- right[among, ]; b <- sum(r[, 1] & !r[, 2]); c <- sum(!r[, 1] & r[, 2]); n <- nrow(r)
  k <- abs(0:(b + c) - (b + c) / 2); p <- dbinom(0:(b + c), b + c, 0.5); own <- abs(b - (b + c) / 2)
  share <- (c(b, c) + 1) / (n + 2)
  gain <- r[, 1] - r[, 2]; fit <- lm(gain ~ 1); error <- sqrt(c(vcovCL(fit, cluster = t$person_id[among], type = "HC0")))
  list(exact = binom.test(b, b + c)$p.value, mid = sum(p[k > own]) + sum(p[k == own]) / 2,
    interval = share[1] - share[2] + c(-1, 1) * qnorm(0.975) * sqrt((sum(share) - diff(share)^2) / (n + 2)),
    clustered = c(coef(fit), coef(fit) + c(-1, 1) * qnorm(0.975) * error, 2 * pnorm(-abs(coef(fit) / error))))
})

# --- recalibration fitted on validation and told of test, another prevalence, a baseline
line <- glm(ill ~ qlogis(risk), binomial, v, control = glm.control(epsilon = 1e-14))
fifth <- qlogis(0.2) - qlogis(mean(v$ill))
out$recalibrated <- list(line = unname(coef(line)), p = unname(predict(line, t, type = "response")[1:20]),
  moved = unname(plogis(predict(line, t) + fifth))[1:20])
base <- glm(ill ~ age + spine_age, binomial, v, control = glm.control(epsilon = 1e-14))
base_roc <- roc(t$ill, predict(base, t), direction = "<", levels = c(0, 1), quiet = TRUE)
test <- roc.test(roc(t$ill, t$risk, direction = "<", levels = c(0, 1), quiet = TRUE), base_roc, method = "delong", paired = TRUE)
out$baseline <- list(p = unname(predict(base, t, type = "response")[1:20]), auc = as.numeric(auc(base_roc)),
  value = as.numeric(diff(rev(test$estimate))), low = test$conf.int[1], high = test$conf.int[2], p_value = test$p.value)

# --- probabilities pooled by person
people <- sort(unique(d$person_id)); own <- split(d$risk, factor(d$person_id, people))
out$pooled <- list(mean = unname(plogis(sapply(own, function(p) mean(qlogis(p))))), max = unname(sapply(own, max)),
  noisy_or = unname(1 - sapply(own, function(p) prod(1 - p))))
write_json(out, "r.json", digits = NA, auto_unbox = TRUE, pretty = TRUE)
