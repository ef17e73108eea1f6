# Counterparts of spineclock.stats.bias: reads data.csv, writes r.json. Run in this folder.
suppressMessages(library(jsonlite))
d <- read.csv("data.csv")
d$gap <- d$predicted_age_years - d$age_years
v <- d[d$split == "validation", ]
e <- d[d$split == "test", ]
y <- e$age_years
p <- e$predicted_age_years

cole <- unname(coef(lm(predicted_age_years ~ age_years, v)))
beheshti <- unname(coef(lm(gap ~ age_years, v)))
square <- lm(gap ~ age_years + I(age_years^2), v)
# equal ages give equal smooths; delta = 0 fits a line at each of them
curve <- lowess(v$age_years, v$gap, f = 2/3, iter = 3, delta = 0)
smooth <- approx(curve$x, curve$y, y, ties = "ordered")$y

brackets <- floor((y - 25) / 10)
figures <- function(corrected) {
  gap <- corrected - y
  list(`MAE` = mean(abs(gap)), `WMAE` = mean(tapply(abs(gap), brackets, mean)),
       `R²` = 1 - sum(gap^2) / sum((y - mean(y))^2), `RMSE` = sqrt(mean(gap^2)), `r` = cor(corrected, y),
       `mean gap` = mean(gap), `slope of gap on age` = unname(coef(lm(gap ~ y))[2]))
}
out <- list(
  lines = list(cole = cole, beheshti = beheshti, square = unname(coef(square))),
  lowess = list(x = curve$x, y = curve$y),
  figures = list(
    none = figures(p), Cole = figures((p - cole[1]) / cole[2]),
    Beheshti = figures(p - beheshti[1] - beheshti[2] * y),
    `de Lange` = figures(p + y - cole[1] - cole[2] * y),
    LOWESS = figures(p - smooth), `age covariate` = figures(p - predict(square, e))))
writeLines(toJSON(out, digits = NA, auto_unbox = TRUE, pretty = TRUE), "r.json")
